// A HELLO's source MAC is only a first guess: behind a router it may be an interface's where the gateway's is virtual,
// and on the link anybody can forge it. What the neighbour answers itself replaces it.
#include "control/peers/neighbours.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace mcplane::control {
namespace {

bool is_link_local(const wire::IpAddress& ip) noexcept { return ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80; }

}  // namespace

std::size_t Neighbours::KeyHash::operator()(const Key& of) const noexcept {
  std::array<std::byte, sizeof of.ip.bytes + sizeof of.port + sizeof of.vlan> bytes;
  std::memcpy(bytes.data(), of.ip.bytes.data(), sizeof of.ip.bytes);
  std::memcpy(bytes.data() + sizeof of.ip.bytes, &of.port, sizeof of.port);
  std::memcpy(bytes.data() + sizeof of.ip.bytes + sizeof of.port, &of.vlan, sizeof of.vlan);
  return siphash24(key, bytes);
}

Neighbours::Neighbours(state::NeighbourTable& table, const std::vector<wire::LocalAddresses>& ports,
                       const Gateways& gateways, Random& random)
    : table_(table),
      ports_(ports),
      gateways_(gateways),
      entries_(table.capacity() + 1),
      on_port_(ports.size()),
      by_key_(table.capacity(), KeyHash{{random.next(), random.next()}}) {
  gateways_.resize(ports.size());
  live_.reserve(table.capacity());
  for (std::uint32_t id = 1; id <= table.capacity(); ++id) free_.push_back(id);
  std::size_t standing = 0;
  for (std::size_t i = 0; i < gateways_.size(); ++i)
    for (const wire::IpAddress& ip : gateways_[i]) {
      CHECK(++standing <= state::kGatewaysMax);
      const Key key{ip, PortId(static_cast<std::uint8_t>(i)), wire::kNoVlan};
      ++at(find_or_add(key, {.ip = ip, .gateway = true}, 0)).users;
    }
}

Neighbours::Hop Neighbours::hop_to(PortId port, const wire::IpAddress& peer) const noexcept {
  const wire::LocalAddresses& ours = ports_[raw(port)];
  const auto holds_peer = [&](const wire::Prefix& prefix) { return prefix.contains(peer); };
  if (is_link_local(peer) || std::ranges::any_of(std::span(ours.ips).first(ours.count), holds_peer))
    return {.ip = peer};
  for (const wire::IpAddress& gateway : gateways_[raw(port)])
    if (gateway.is_v4() == peer.is_v4()) return {.ip = gateway, .gateway = true};
  return {.ip = peer, .asked = false};
}

// Of the target's subnet, or else any of its family; null when we have none.
const wire::IpAddress* Neighbours::source_for(PortId port, const wire::IpAddress& target) const noexcept {
  const wire::LocalAddresses& ours = ports_[raw(port)];
  const wire::IpAddress* source = nullptr;
  for (std::size_t i = 0; i < ours.count; ++i) {
    if (ours.ips[i].contains(target)) return &ours.ips[i].ip;
    if (source == nullptr && ours.ips[i].ip.is_v4() == target.is_v4()) source = &ours.ips[i].ip;
  }
  return source;
}

NeighbourId Neighbours::find_or_add(const Key& key, const Hop& hop, std::uint64_t now_ns) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) return NeighbourId{found->second};
  CHECK(!free_.empty());
  const std::uint32_t index = free_.front();
  free_.pop_front();
  Entry& entry = entries_[index];
  entry = Entry{};
  entry.key = key;
  entry.gateway = hop.gateway;
  const wire::IpAddress* source = hop.asked ? source_for(key.port, key.ip) : nullptr;
  entry.state = source == nullptr ? State::kLearned : State::kIncomplete;
  if (source != nullptr) entry.source = *source;
  entry.asks = kAsksDirectly;  // nobody to ask directly
  entry.due_ns = now_ns;
  entry.live_position = static_cast<std::uint32_t>(live_.size());
  live_.push_back(index);
  ++on_port_[raw(key.port)];
  by_key_.emplace(key, index);
  return NeighbourId{index};
}

NeighbourId Neighbours::take(PortId port, std::uint16_t vlan, const wire::IpAddress& peer, const wire::MacAddress& seen,
                             std::uint64_t now_ns) {
  const Hop hop = hop_to(port, peer);
  const NeighbourId id = find_or_add({hop.ip, port, vlan}, hop, now_ns);
  ++at(id).users;
  on_hello(id, seen, now_ns);
  return id;
}

void Neighbours::release(NeighbourId id) {
  Entry& entry = at(id);
  CHECK(entry.users > 0);
  if (--entry.users > 0) return;
  const std::uint32_t moved = live_.back();
  live_[entry.live_position] = moved;
  entries_[moved].live_position = entry.live_position;
  live_.pop_back();
  --on_port_[raw(entry.key.port)];
  by_key_.erase(entry.key);
  table_.clear(id);
  entry = Entry{};
  free_.push_back(raw(id));
}

void Neighbours::set_mac(NeighbourId id, const wire::MacAddress& mac) {
  if (mac == wire::MacAddress{}) return;
  at(id).mac = mac;
  table_.set(id, mac);
}

void Neighbours::on_hello(NeighbourId id, const wire::MacAddress& seen, std::uint64_t now_ns) {
  Entry& entry = at(id);
  const bool differs = seen != entry.mac;
  if (!entry.proven && differs) set_mac(id, seen);
  // A proven gateway is not doubted: its frames may come by another router's hand.
  const bool moved = entry.proven && differs && !entry.gateway && entry.state == State::kReachable;
  if (entry.state != State::kIncomplete && entry.state != State::kFailed && !moved) return;
  refresh(entry, kAsksDirectly, now_ns);  // everyone: whoever sent the HELLO would answer for itself
}

void Neighbours::on_claim(PortId port, const wire::NeighbourClaim& claim, std::uint64_t now_ns) {
  const auto found = by_key_.find({claim.ip, port, claim.vlan});
  if (found == by_key_.end()) return;
  const NeighbourId id{found->second};
  Entry& entry = at(id);
  if (entry.state == State::kLearned) return;
  const bool unknown = entry.state == State::kIncomplete || entry.state == State::kFailed;
  const bool differs = claim.mac && *claim.mac != entry.mac;
  if (unknown && !claim.mac) return;
  const bool accepted = !differs || claim.overrides || !entry.proven;
  if (differs && accepted) set_mac(id, *claim.mac);
  if (claim.mac && accepted) entry.proven = true;
  if (claim.solicited && accepted) {
    entry.state = State::kReachable;
    entry.asks = 0;
    entry.due_ns = now_ns + kReachableNs;
  } else if (unknown || (differs && (accepted || entry.state == State::kReachable))) {
    refresh(entry, 0, now_ns);
  }
}

// However often somebody speaks, a neighbour is asked once an interval.
void Neighbours::refresh(Entry& entry, std::uint32_t asks, std::uint64_t now_ns) noexcept {
  entry.state = State::kRefreshing;
  entry.asks = asks;
  entry.due_ns = entry.asked_ns == 0 ? now_ns : std::max(now_ns, entry.asked_ns + kAskIntervalNs);
}

bool Neighbours::try_spend_ask(std::uint64_t now_ns) noexcept {
  constexpr std::uint64_t kBurstNs = kAskBurst * kAskSpacingNs;
  if (now_ns > kBurstNs) spent_ns_ = std::max(spent_ns_, now_ns - kBurstNs);
  if (spent_ns_ >= now_ns) return false;
  spent_ns_ += kAskSpacingNs;
  return true;
}

void Neighbours::step(Entry& entry, std::uint64_t now_ns) {
  if (entry.state == State::kReachable) entry.state = State::kRefreshing;
  const bool directly = entry.state == State::kRefreshing && entry.asks < kAsksDirectly;
  asks_.push_back({entry.key.port,
                   {.target = entry.key.ip,
                    .source = entry.source,
                    .source_mac = ports_[raw(entry.key.port)].mac,
                    .vlan = entry.key.vlan,
                    .to = directly ? std::optional(entry.mac) : std::nullopt}});
  ++entry.asks;
  entry.asked_ns = now_ns;
  entry.due_ns = now_ns + (entry.state == State::kFailed ? kSlowAskIntervalNs : kAskIntervalNs);
}

std::span<const Neighbours::Ask> Neighbours::due(std::uint64_t now_ns, const Links& links) {
  asks_.clear();
  const std::size_t visits = std::min(live_.size(), kVisitsPerPoll);
  for (std::size_t i = 0; i < visits; ++i, ++cursor_) {
    if (cursor_ >= live_.size()) cursor_ = 0;
    Entry& entry = entries_[live_[cursor_]];
    if (entry.state == State::kLearned || now_ns < entry.due_ns || !links.up(entry.key.port)) continue;
    if (entry.asks >= kAsksMax && entry.state != State::kFailed) {
      entry.state = State::kFailed;
      entry.proven = false;
      entry.due_ns = now_ns + kSlowAskIntervalNs;
      continue;
    }
    if (!try_spend_ask(now_ns)) break;
    step(entry, now_ns);
  }
  return asks_;
}

}  // namespace mcplane::control
