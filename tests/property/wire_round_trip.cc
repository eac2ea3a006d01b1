// What is written is read back byte for byte, whatever the bytes.
#include <rapidcheck.h>

#include <algorithm>
#include <cstdlib>

#include "property/wire_properties.h"
#include "support/frame_builder.h"
#include "wire/lower_headers.h"
#include "wire/payload.h"
#include "wire/registration.h"
#include "wire/route_table.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

Bytes any_bytes(int length_max) {
  const auto raw_bytes = *rc::gen::resize(length_max, rc::gen::arbitrary<std::vector<std::uint8_t>>());
  const auto bytes = std::as_bytes(std::span(raw_bytes));
  return {bytes.begin(), bytes.end()};
}
std::string any_name() {
  const auto length = *rc::gen::inRange<std::size_t>(1, kNameBytesMax + 1);
  // Not a control byte: 0x20-0x7e and everything beyond ASCII.
  const auto byte = rc::gen::oneOf(rc::gen::inRange(0x20, 0x7f), rc::gen::inRange(0x80, 0x100));
  std::string name;
  for (const int value : *rc::gen::container<std::vector<int>>(length, byte)) name += static_cast<char>(value);
  return name;
}
std::vector<std::string> any_names(std::size_t count_max) {
  std::vector<std::string> names(*rc::gen::inRange<std::size_t>(0, count_max + 1));
  std::ranges::generate(names, any_name);
  return names;
}
std::string any_text() { return *rc::gen::arbitrary<std::string>(); }
Family any_family() { return *rc::gen::element(Family::kIpv4, Family::kIpv6); }
std::uint16_t any_vlan() { return *rc::gen::oneOf(rc::gen::just(kNoVlan), rc::gen::inRange<std::uint16_t>(0, 4095)); }

void frames_keep_every_byte() {
  testing::FrameSpec spec = testing::sample_spec(FrameType::Result, any_family(), any_vlan());
  spec.payload = any_bytes(1000);
  const auto session = *rc::gen::nonZero<std::uint32_t>();
  const auto token = *rc::gen::arbitrary<std::uint32_t>();
  spec.source.port = *rc::gen::nonZero<std::uint16_t>();
  spec.destination.port = *rc::gen::arbitrary<std::uint16_t>();
  spec.edit = [=](Header& header) {
    header.mutate_session(session);
    set_token(header, {token, ~token});
  };
  const Bytes frame = build_frame(spec);
  const testing::Parsed parsed = testing::parse(frame);
  RC_ASSERT(parsed.reason == DropReason::kNone);
  RC_ASSERT(parsed.lower.source == spec.source);
  RC_ASSERT(parsed.lower.destination_port == spec.destination.port);
  RC_ASSERT(parsed.lower.vlan == spec.vlan);
  RC_ASSERT(parsed.header().session() == session);
  RC_ASSERT(token_of(parsed.header()) == (TaskToken{token, ~token}));
  RC_ASSERT(std::ranges::equal(parsed.payload(), spec.payload));
}

// A forwarded frame: new lower headers and lead in front of a payload that is summed only on arrival.
void forwarded_frames_stay_sound() {
  testing::FrameSpec spec = testing::sample_spec(FrameType::Result, any_family(), any_vlan());
  spec.payload = any_bytes(600);
  const Bytes frame = build_frame(spec);
  const Datagram arrived = parse_frame(frame, testing::our_addresses(), *rc::gen::arbitrary<bool>());
  const auto family = any_family();
  const LowerHeaders headers = make_lower_headers(testing::kPeerMac, testing::kOurMac, any_vlan(),
                                                  testing::peer_endpoint(family), testing::our_endpoint(family));
  Bytes forwarded(headers.length + std::size_t{arrived.payload_length});
  const auto datagram = std::span(forwarded).subspan(headers.length);
  std::ranges::copy(std::span(frame).subspan(arrived.payload_offset, arrived.payload_length), datagram.begin());
  header_of(datagram).mutate_sequence(*rc::gen::arbitrary<std::uint32_t>());
  write_lower_headers(headers, forwarded.data(), arrived.payload_length,
                      sum_add(sum_bytes(datagram.first(kLeadBytes)), arrived.tail_sum));
  const testing::Parsed parsed = testing::parse(forwarded);
  RC_ASSERT(parsed.reason == DropReason::kNone);
  RC_ASSERT(std::ranges::equal(parsed.payload(), spec.payload));
}

void route_tables() {
  const auto action = any_name(), model = any_name(), id = any_name();
  const auto tags = any_names(kTagsMax);
  const Bytes table = write_route_table(action, model, tags, id);
  const auto route = read_route_table(table);
  RC_ASSERT(route.has_value());
  RC_ASSERT(route->action == action && route->model == model && route->task_id_text == id);
  RC_ASSERT(std::ranges::equal(route->tag_list(), tags));
}

HealthProbe any_probe() {
  const auto visible = *rc::gen::container<std::string>(rc::gen::inRange<char>(0x21, 0x7f));
  const std::string target = visible.substr(0, kProbeTargetBytesMax - 1);
  const auto port = *rc::gen::nonZero<std::uint16_t>();
  switch (*rc::gen::element(ProbeKind::kHeartbeat, ProbeKind::kTcp, ProbeKind::kHttp, ProbeKind::kGrpc)) {
    case ProbeKind::kHeartbeat:
      return {};
    case ProbeKind::kTcp:
      return {.kind = ProbeKind::kTcp, .port = port, .target = {}};
    case ProbeKind::kHttp:
      return {ProbeKind::kHttp, port, '/' + target, *rc::gen::inRange<std::uint16_t>(100, 600)};
    case ProbeKind::kGrpc:
      break;
  }
  return {.kind = ProbeKind::kGrpc, .port = port, .target = target};
}

void probes() {
  HealthProbe probe = any_probe(), read;
  // Chance seldom makes a path that ends like one with a status.
  if (probe.kind == ProbeKind::kHttp && *rc::gen::arbitrary<bool>()) {
    probe.target = "/a=" + std::to_string(*rc::gen::inRange(90, 1'100));
    probe.status = *rc::gen::element<std::uint16_t>(200, 204);
  }
  RC_ASSERT(parse_probe(to_string(probe), read).empty());
  RC_ASSERT(read == probe);
}

void hellos() {
  HelloBody hello;
  hello.service = *rc::gen::element(Service::kClient, Service::kWorker, Service::kBoth);
  hello.instance = *rc::gen::container<Id16>(rc::gen::arbitrary<std::uint8_t>());
  hello.slots = *rc::gen::nonZero<std::uint16_t>();
  hello.weight = *rc::gen::inRange<std::uint16_t>(1, 1001);
  hello.name = any_name();
  hello.actions = any_names(kCapabilitiesMax);
  if (hello.actions.empty()) hello.actions = {"generate"};
  hello.models = any_names(kCapabilitiesMax);
  hello.tags = any_names(kCapabilitiesMax);
  if (is_worker(hello.service)) hello.probe = any_probe();
  if (!hello_within_limits(hello)) {
    // Only the size of the whole can be at fault here.
    hello.models.clear();
    hello.tags.clear();
    hello.actions.resize(1);
  }
  const auto read = read_hello(write_hello(hello));
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->service == hello.service && read->instance == hello.instance && read->slots == hello.slots &&
            read->weight == hello.weight && read->name == hello.name && read->actions == hello.actions &&
            read->models == hello.models && read->tags == hello.tags && read->probe == hello.probe);
}

void payloads() {
  TaskPayload task;
  task.prompt = any_text();
  for (int left = *rc::gen::inRange(0, 20); left > 0; --left) task.history.push_back({any_text(), any_text()});
  for (int left = *rc::gen::inRange(0, 20); left > 0; --left) task.parameters.push_back({any_text(), any_text()});
  RC_ASSERT(read_task_payload(write_task_payload(task)) == task);
  const Bytes answer = write_answer(task.prompt);
  RC_ASSERT(read_answer(answer) == task.prompt);
}

}  // namespace

bool check_round_trips() {
  bool ok = rc::check("a frame keeps every byte", frames_keep_every_byte);
  ok &= rc::check("a forwarded frame stays sound", forwarded_frames_stay_sound);
  ok &= rc::check("a route table reads as written", route_tables);
  ok &= rc::check("a HELLO reads as written", hellos);
  ok &= rc::check("a probe reads as it is shown", probes);
  ok &= rc::check("a payload reads as written", payloads);
  return ok;
}

}  // namespace mcplane::wire
