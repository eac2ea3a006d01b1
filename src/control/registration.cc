// HELLO and BYE. A HELLO here carries a valid cookie, so its address is real; what it says is still a peer's word.
//
// An address has one session. The same instance again lost our ACK and gets it again; another instance is a new
// process on that address, and the cookie's age tells it from a late duplicate of an older one. Port and VLAN are part
// of a session, which ends when its peer comes back by others.
#include "base/planted_bug.h"
#include "control/control.h"
#include "wire/retransmission.h"

namespace mcplane::control {
namespace {

// The MCP datagram of a punt, as far as it was copied; empty when it is no sound HELLO.
std::span<const std::byte> hello_in(const state::Punt& punt) noexcept {
  static_assert(offsetof(state::Punt, bytes) % 4 == 0);
  const std::size_t at = punt.payload_offset;
  if (punt.length > state::kMailboxFrameBytes || at < wire::kEthernetBytes || at > punt.length || at % 4 != 2)
    return {};
  const auto datagram = punt.frame().subspan(at);
  if (wire::check_datagram(datagram) != DropReason::kNone) return {};
  return wire::header_of(datagram).type() == wire::FrameType::Hello ? datagram : std::span<const std::byte>{};
}

// A frame goes on in place to peers of the other family: where the appliance has both, IPv4 peers leave room for the
// longer IPv6 header.
std::uint16_t frame_bytes_for(const wire::Endpoint& peer, const std::vector<wire::LocalAddresses>& ports,
                              std::uint16_t mtu) noexcept {
  bool ipv6 = false;
  for (const wire::LocalAddresses& port : ports)
    for (std::size_t i = 0; i < port.count; ++i) ipv6 = ipv6 || !port.ips[i].ip.is_v4();
  const bool shorter = ipv6 && peer.ip.is_v4();
  return static_cast<std::uint16_t>(shorter ? mtu - (wire::kIpv6Bytes - wire::kIpv4Bytes) : mtu);
}

wire::MacAddress source_mac(std::span<const std::byte> frame) noexcept {
  wire::MacAddress mac;
  std::memcpy(mac.data(), frame.data() + mac.size(), mac.size());
  return mac;
}

// Serial-number arithmetic (RFC 1982): the broker's clock in ms wraps after 49 days.
bool newer(std::uint32_t a_ms, std::uint32_t b_ms) noexcept { return static_cast<std::int32_t>(a_ms - b_ms) > 0; }

}  // namespace

void Control::on_hello(const state::Punt& punt, ShardId arrived) {
  const auto datagram = hello_in(punt);
  if (datagram.empty() || raw(punt.port) >= ports_.size()) return;
  const Path path{.port = punt.port,
                  .local_mac = ports_[raw(punt.port)].mac,
                  .peer_mac = source_mac(punt.frame()),
                  .vlan = punt.vlan,
                  .local = {punt.local, punt.local_port},
                  .peer = punt.peer};
  const std::uint32_t number = wire::header_of(datagram).sequence();
  auto hello = wire::read_hello(wire::table_of(datagram));
  if (!hello) return refuse_hello(path, number, arrived, wire::Reason::Malformed);

  const std::uint32_t cookie_ms = wire::cookie_of(datagram).issued_ms();
  if (Session* known = registry_.find_by_peer(path.peer)) {
    const bool is_newer = newer(cookie_ms, known->cookie_ms);
    const bool same_way = known->path.port == path.port && known->path.vlan == path.vlan;
    if (planted(PlantedBug::kKeepInstance)) known->hello.instance = hello->instance;
    if (known->hello.instance == hello->instance && known->phase != Phase::kDraining && same_way) {
      if (is_newer) known->cookie_ms = cookie_ms;
      renew_lease(*known);
      neighbours_.on_hello(known->neighbour, path.peer_mac, now_ns_);
      return welcome(*known, path, number);
    }
    if (!is_newer) return;
    end_session(*known, same_way ? "replaced by a new instance" : "came back by another port or VLAN");
  }
  if (draining_) return refuse_hello(path, number, arrived, wire::Reason::Draining);
  Session* session = registry_.try_add(std::move(*hello), path, cookie_ms, arrived);
  if (session == nullptr) return refuse_hello(path, number, arrived, wire::Reason::TableFull);
  session->handshake_ms = punt.handshake_ms;
  session->neighbour = neighbours_.take(path.port, path.vlan, path.peer.ip, path.peer_mac, now_ns_);
  start_session(*session);
  welcome(*session, path, number);
}

void Control::refuse_hello(const Path& path, std::uint32_t hello, ShardId arrived, wire::Reason reason) {
  const std::uint32_t retry_after_ms = reason == wire::Reason::Malformed ? 0 : options_.retry_after_ms;
  queue(arrived).push_frame(reject_frame(path, wire::FrameType::Hello, hello,
                                         {.session = {}, .boot_id = shared_.options.boot_id}, reason, retry_after_ms));
  log_.info(now_ns_, "refused HELLO of {}: {}", wire::to_string(path.peer), wire::fb::EnumNameReason(reason));
}

// The line first, then the shards: a core that knows the session finds its line set.
void Control::start_session(Session& session) {
  session.registered_ns = now_ns_;
  for (auto& shard : shared_.shards) {
    shard->last_seen[session.id.index()].store(0, std::memory_order_relaxed);
    shard->events[session.id.index()].sent.store(0, std::memory_order_relaxed);
    shard->events[session.id.index()].dropped.store(0, std::memory_order_relaxed);
  }
  renew_lease(session);
  if (session.is_worker()) {
    state::WorkerLine& line = shared_.workers[session.worker];
    line.load.store(0, std::memory_order_relaxed);
    line.pace.reset();
    line.bound.store(session.hello.slots, std::memory_order_relaxed);
    const auto skills = static_cast<std::uint32_t>(session.hello.actions.size());
    session.skills.reset(skills > 1 ? new state::SkillBoard(skills, shared_.options.shards) : nullptr);
    line.skills = session.skills.get();
    line.skills_out.store(0, std::memory_order_relaxed);
    line.admits.store(1, std::memory_order_relaxed);
    // Pairs with the acquire load in WorkerLine::owner(): who sees the session sees its bound.
    line.session.store(session.id.value, std::memory_order_release);
  }
  for_shards_of(session, [&](ShardId shard) { install(session, shard); });
  log_.info(now_ns_, "registered {}{} '{}' at {} as {:08x}, shard {}", session.is_shadow() ? "shadow " : "",
            session.is_worker() ? "worker" : "client", session.hello.name, wire::to_string(session.path.peer),
            session.id.value, raw(session.owner));
}

void Control::install(const Session& session, ShardId shard) {
  state::Command command{};
  command.kind = state::CommandKind::kInstallSession;
  command.port = session.path.port;
  command.record = record_of(session, shard);
  queue(shard).push(command);
}

state::SessionRecord Control::record_of(const Session& session, ShardId shard) const {
  Path path = session.path;
  path.local.port = static_cast<std::uint16_t>(options_.base_port + raw(shard));
  state::SessionRecord record;
  record.id = session.id;
  record.service = session.hello.service;
  record.port = path.port;
  record.worker = session.worker;
  record.worker_slots = session.is_worker() ? session.hello.slots : std::uint16_t{0};
  record.peer = path.peer;
  record.neighbour = session.neighbour;
  record.lower = path.headers();
  record.pto_ms = static_cast<std::uint16_t>(
      wire::handshake_pto_ns(session.handshake_ms * kNsPerMs, wire::kPtoInitialNs) / kNsPerMs);
  if (session.is_client() && session.owner == shard) {
    record.slot_limit = options_.client_slots;
    record.client_slot_base =
        session.client * (options_.client_slots - (planted(PlantedBug::kOverlappingSlots) ? 1U : 0U));
  }
  return record;
}

// Through the owner shard, behind its install: no SEND can reach a shard that does not know its session.
void Control::welcome(const Session& session, const Path& path, std::uint32_t hello) {
  const wire::fb::Welcome welcome(
      static_cast<std::uint16_t>(options_.base_port + raw(session.owner)), options_.base_port,
      static_cast<std::uint16_t>(shared_.shards.size()), session.is_client() ? options_.client_slots : std::uint16_t{0},
      frame_bytes_for(path.peer, ports_, options_.mtu), 0, pace_of(session).told_ms(), ack_pace_.told_us());
  queue(session.owner).push_frame(welcome_frame(path, hello, grant_of(session), welcome));
}

Grant Control::grant_of(const Session& session) const noexcept {
  return {session.id, session.is_worker(), shared_.options.boot_id, session.hello.instance};
}

// To the session as its neighbour is now, from that shard's port.
Path Control::path_from(const Session& session, ShardId shard) const {
  Path path = session.path;
  path.peer_mac = neighbours_.mac(session.neighbour).value_or(path.peer_mac);
  path.local.port = static_cast<std::uint16_t>(options_.base_port + raw(shard));
  return path;
}

// Answered as often as it comes. A session that has ended is still known until its slot is reused.
void Control::on_bye(const state::Punt& punt, ShardId arrived) {
  Session* session = registry_.find(punt.session);
  if (session == nullptr || session->path.peer != punt.peer) return;
  if (session->phase == Phase::kJoining || session->phase == Phase::kUp) {
    if (session->is_worker()) {
      start_drain(*session);
    } else {
      end_session(*session, "left");
    }
  }
  queue(arrived).push_frame(ack_frame(path_from(*session, arrived), wire::FrameType::Bye, 0, grant_of(*session)));
}

}  // namespace mcplane::control
