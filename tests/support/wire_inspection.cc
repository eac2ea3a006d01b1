// Results are CHECKed rather than EXPECTed, so that fuzz targets, which have no test framework, stop on them too.
#include "support/wire_inspection.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "support/frame_builder.h"
#include "wire/neighbour.h"
#include "wire/payload.h"
#include "wire/registration.h"
#include "wire/route_table.h"
#include "wire/topic.h"
#include "wire/unreachable.h"

namespace mcplane::testing {
namespace {

bool contains(std::span<const std::byte> outer, std::string_view inner) {
  const auto* start = reinterpret_cast<const std::byte*>(inner.data());
  return inner.empty() || (start >= outer.data() && start + inner.size() <= outer.data() + outer.size());
}

}  // namespace

void inspect_frame(std::span<const std::byte> frame) {
  for (const bool checksum_good : {false, true}) {
    const wire::Datagram lower = wire::parse_frame(frame, our_addresses(), checksum_good);
    CHECK((lower.frame_class == wire::FrameClass::kDrop) == (lower.reason != DropReason::kNone));
    if (lower.frame_class != wire::FrameClass::kUdp) continue;
    CHECK(std::size_t{lower.payload_offset} + lower.payload_length <= frame.size());
    CHECK(lower.payload_offset % 4 == 2);
    CHECK(lower.payload_length > wire::kLeadBytes || lower.tail_sum == 0);
    inspect_datagram(frame.subspan(lower.payload_offset, lower.payload_length));
  }
  inspect_neighbour(frame);
}

// A fuzzer that watches comparisons can forge the MAC of a key it is shown: what counts is that nothing else passes.
static void inspect_cookie(const wire::fb::Cookie& cookie) {
  const SipKey key = {1, 2};
  const wire::Endpoint peer = peer_endpoint(Family::kIpv4);
  const wire::fb::Cookie ours = wire::make_cookie(key, peer, 0);
  CHECK(wire::cookie_valid(key, peer, cookie, 0, 0) == (std::memcmp(&cookie, &ours, sizeof cookie) == 0));
}

void inspect_datagram(std::span<const std::byte> datagram) {
  if (wire::check_datagram(datagram) != DropReason::kNone) return;
  const auto table = wire::table_of(datagram), payload = wire::payload_of(datagram);
  const wire::FrameType type = wire::header_of(datagram).type();
  const std::size_t cookie = type == wire::FrameType::Hello ? wire::kCookieBytes : 0;
  CHECK(wire::kLeadBytes + cookie + table.size() + payload.size() == datagram.size());
  CHECK(table.size() <= wire::kTableBytesMax);
  if (type == wire::FrameType::Hello || type == wire::FrameType::Retry) inspect_cookie(wire::cookie_of(datagram));
  if (type == wire::FrameType::Hello) inspect_hello(table);
  if (type == wire::FrameType::Send || type == wire::FrameType::Route) inspect_route_table(table);
  inspect_topics(table);
  inspect_payload(payload);
}

void inspect_neighbour(std::span<const std::byte> frame) {
  if (const auto claim = wire::read_neighbour_claim(frame, our_addresses())) {
    CHECK(!our_addresses().contains(claim->ip) && claim->ip != wire::IpAddress{});
    CHECK(!claim->mac || ((*claim->mac)[0] & 1) == 0);
    CHECK(claim->mac || !claim->ip.is_v4());
  }
  const auto closed = wire::read_closed_port(frame, our_addresses());
  if (closed) CHECK(!our_addresses().contains(closed->peer.ip));
  std::vector<std::byte> answer(frame.size() + 32);
  const std::size_t length = wire::answer_neighbour_frame(frame, our_addresses(), answer);
  if (length == 0) return;
  CHECK(length <= answer.size() && !closed);
  CHECK(std::ranges::equal(std::span(answer).subspan(6, 6), std::as_bytes(std::span(kOurMac))));
}

void inspect_route_table(std::span<const std::byte> table) {
  const auto route = wire::read_route_table(table);
  if (!route) return;
  CHECK(!route->action.empty());
  CHECK(contains(table, route->action) && contains(table, route->model) && contains(table, route->task_id_text));
  for (const auto tag : route->tag_list()) CHECK(contains(table, tag));
  // What was read may be written and reads the same.
  const std::vector<std::string> tags(route->tag_list().begin(), route->tag_list().end());
  const auto again = wire::write_route_table(route->action, route->model, tags, route->task_id_text);
  const auto read = wire::read_route_table(again);
  CHECK(read && read->action == route->action && read->model == route->model && read->tag_count == tags.size());
}

void inspect_topics(std::span<const std::byte> table) {
  const auto whole = wire::read_topic(table);
  const auto topic = wire::read_publication(table);
  CHECK(whole.has_value() == topic.has_value());
  if (topic) {
    CHECK(topic->whole() == *whole);
    for (const auto token : topic->list()) CHECK(!token.empty() && contains(table, token));
  }
  const auto subscription = wire::read_subscription(table);
  if (!subscription) return;
  CHECK(contains(table, subscription->topic) && contains(table, subscription->group));
  const auto again = wire::write_subscription(subscription->topic, subscription->group);
  const auto read = wire::read_subscription(again);
  CHECK(read && read->topic == subscription->topic && read->group == subscription->group);
}

void inspect_hello(std::span<const std::byte> table) {
  const auto hello = wire::read_hello(table);
  if (!hello) return;
  CHECK(wire::is_client(hello->service) || wire::is_worker(hello->service));
  CHECK(!wire::is_worker(hello->service) || !hello->actions.empty());
  CHECK(hello->actions.size() <= wire::kCapabilitiesMax);
  CHECK(wire::is_sound(hello->probe) && (wire::is_worker(hello->service) || !hello->probe.asks()));
  // Strings may share bytes in a peer's table, so the copy need not fit one.
  if (!wire::hello_within_limits(*hello)) return;
  const auto again = wire::read_hello(wire::write_hello(*hello));
  CHECK(again && again->actions == hello->actions && again->tags == hello->tags && again->name == hello->name);
  CHECK(again->probe == hello->probe);
}

void inspect_payload(std::span<const std::byte> payload) {
  if (const auto task = wire::read_task_payload(payload)) {
    std::size_t text = task->prompt.size();
    for (const auto& turn : task->history) text += turn.role.size() + turn.content.size();
    for (const auto& parameter : task->parameters) text += parameter.key.size() + parameter.value.size();
    CHECK(text <= payload.size());
    CHECK(wire::read_task_payload(wire::write_task_payload(*task)) == *task);
  }
  if (const auto text = wire::read_answer(payload)) CHECK(contains(payload, *text));
}

}  // namespace mcplane::testing
