// The verifier knows no ranges, so every limit of a HELLO is checked by hand, in both directions.
#include "wire/registration.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "wire/route_table.h"
#include "wire/verified_root.h"

namespace mcplane::wire {
namespace {

using Strings = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;

constexpr std::uint16_t kWeightMax = 1000;

bool names_sound(const std::vector<std::string>& names) noexcept {
  return names.size() <= kCapabilitiesMax && std::ranges::all_of(names, [](const auto& name) { return is_name(name); });
}

bool is_known(Service service) noexcept {
  return raw(service) >= raw(Service::kClient) && raw(service) <= raw(Service::kShadowBoth) &&
         (is_worker(service) || !is_shadow(service));
}

bool fields_sound(const HelloBody& hello) noexcept {
  if (!is_known(hello.service)) return false;
  if (hello.weight == 0 || hello.weight > kWeightMax || !is_label(hello.name)) return false;
  if (!names_sound(hello.actions) || !names_sound(hello.models) || !names_sound(hello.tags)) return false;
  if (!is_sound(hello.probe) || (hello.probe.asks() && !is_worker(hello.service))) return false;
  return !is_worker(hello.service) || (hello.slots > 0 && !hello.actions.empty());
}

// False when there are too many: nothing is copied then.
bool copy_names(const Strings* from, std::vector<std::string>& to) {
  if (from == nullptr) return true;
  if (from->size() > kCapabilitiesMax) return false;
  for (const auto* name : *from) to.emplace_back(name->c_str(), name->size());
  return true;
}

std::vector<std::byte> encode(const HelloBody& hello) {
  flatbuffers::FlatBufferBuilder builder(kTableBytesMax);
  const auto strings = [&builder](const std::vector<std::string>& names) {
    return names.empty() ? flatbuffers::Offset<Strings>{} : builder.CreateVectorOfStrings(names);
  };
  const fb::InstanceId instance(flatbuffers::make_span(hello.instance));
  const auto name = builder.CreateString(hello.name);
  const auto actions = strings(hello.actions);
  const auto models = strings(hello.models);
  const auto tags = strings(hello.tags);
  const HealthProbe& probe = hello.probe;
  const auto target =
      probe.target.empty() ? flatbuffers::Offset<flatbuffers::String>{} : builder.CreateString(probe.target);
  builder.Finish(fb::CreateHello(builder, raw(hello.service), &instance, hello.slots, hello.weight, name, actions,
                                 models, tags, fb::ProbeKind(raw(probe.kind)), probe.port, target, probe.status));
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

using Mac = std::array<std::uint8_t, 8>;

Mac cookie_mac(const SipKey& key, const Endpoint& peer, std::uint32_t issued_ms) noexcept {
  std::array<std::byte, 22> covered;
  std::memcpy(covered.data(), peer.ip.bytes.data(), 16);
  std::memcpy(covered.data() + 16, &peer.port, 2);
  std::memcpy(covered.data() + 18, &issued_ms, 4);
  return std::bit_cast<Mac>(siphash24(key, covered));
}

}  // namespace

std::optional<HelloBody> read_hello(std::span<const std::byte> table) {
  const auto* root = verified_root<fb::Hello>(table, kTableBytesMax, kFlatTablesMax);
  if (root == nullptr) return std::nullopt;
  HelloBody hello;
  hello.service = Service(root->service());
  std::memcpy(hello.instance.data(), root->instance()->bytes()->Data(), hello.instance.size());
  hello.slots = root->slots();
  hello.weight = root->weight();
  if (root->name() != nullptr) hello.name.assign(root->name()->c_str(), root->name()->size());
  hello.probe.kind = ProbeKind(raw(root->probe()));
  hello.probe.port = root->probe_port();
  if (root->probe_target() != nullptr)
    hello.probe.target.assign(root->probe_target()->c_str(), root->probe_target()->size());
  hello.probe.status = root->probe_status();
  const bool copied = copy_names(root->actions(), hello.actions) && copy_names(root->models(), hello.models) &&
                      copy_names(root->tags(), hello.tags);
  if (!copied || !fields_sound(hello)) return std::nullopt;
  return hello;
}

bool hello_within_limits(const HelloBody& hello) {
  return fields_sound(hello) && encode(hello).size() <= kTableBytesMax;
}

std::vector<std::byte> write_hello(const HelloBody& hello) {
  CHECK(fields_sound(hello));
  auto table = encode(hello);
  CHECK(table.size() <= kTableBytesMax);
  CHECK(table.size() % 4 == 0);
  return table;
}

fb::Cookie cookie_of(std::span<const std::byte> datagram) noexcept {
  DCHECK(datagram.size() >= kLeadBytes + kCookieBytes);
  fb::Cookie cookie;
  std::memcpy(static_cast<void*>(&cookie), datagram.data() + kLeadBytes, sizeof cookie);
  return cookie;
}

void set_cookie(std::span<std::byte> datagram, const fb::Cookie& cookie) noexcept {
  DCHECK(datagram.size() >= kLeadBytes + kCookieBytes);
  std::memcpy(datagram.data() + kLeadBytes, &cookie, sizeof cookie);
}

fb::Welcome welcome_of(std::span<const std::byte> datagram) noexcept {
  DCHECK(datagram.size() >= kLeadBytes + sizeof(fb::Welcome));
  fb::Welcome welcome;
  std::memcpy(static_cast<void*>(&welcome), datagram.data() + kLeadBytes, sizeof welcome);
  return welcome;
}

fb::Cookie make_cookie(const SipKey& key, const Endpoint& peer, std::uint32_t now_ms) noexcept {
  const Mac mac = cookie_mac(key, peer, now_ms);
  return {now_ms, flatbuffers::make_span(mac)};
}

bool cookie_valid(const SipKey& key, const Endpoint& peer, const fb::Cookie& cookie, std::uint32_t now_ms,
                  std::uint32_t max_age_ms) noexcept {
  // A cookie from the future wraps to a great age.
  if (now_ms - cookie.issued_ms() > max_age_ms) return false;
  Mac claimed;
  std::memcpy(claimed.data(), cookie.mac()->Data(), claimed.size());
  // One 64-bit compare: its time tells a forger nothing about how many bytes were right.
  return std::bit_cast<std::uint64_t>(claimed) ==
         std::bit_cast<std::uint64_t>(cookie_mac(key, peer, cookie.issued_ms()));
}

}  // namespace mcplane::wire
