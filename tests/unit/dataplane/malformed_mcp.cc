// Faults of the MCP header, and sound frames that fit no session or task.
#include "unit/dataplane/malformed_cases.h"

namespace mcplane::dataplane {
namespace {

using testing::Bytes;
using testing::FrameSpec;
using wire::FrameType;
using wire::Header;
using World = MalformedWorld;
using Build = std::function<Bytes(World&)>;
using Edit = std::function<void(Header&)>;

Bytes edited(FrameSpec spec, const Edit& edit) {
  spec.edit = [inner = spec.edit, &edit](Header& header) {
    inner(header);
    edit(header);
  };
  return build_frame(spec);
}

Build ping(Edit edit) {
  return [=](World& w) { return edited(w.rig.spec_of(*w.client, FrameType::Ping), edit); };
}
// On a slot that was never used.
Build send(Edit edit) {
  return [=](World& w) { return edited(w.rig.send_spec(*w.client, 9, 1), edit); };
}
Build result(Edit edit) {
  return [=](World& w) { return edited(w.rig.result_spec(*w.worker, w.route_header()), edit); };
}
Build stopped(Edit edit) {
  return [=](World& w) { return edited(w.rig.stop_spec(*w.worker, w.route_header(), wire::Reason::Stopped), edit); };
}
Build of_type(FrameType type) {
  return [=](World& w) { return edited(w.rig.spec_of(*w.client, type), [](Header&) {}); };
}
Build publish(const char* topic, std::function<void(Bytes&)> change) {
  return [=](World& w) {
    FrameSpec spec = w.rig.publish_spec(*w.client, topic);
    change(spec.table);
    return build_frame(spec);
  };
}
// The datagram of a PING, changed as bytes.
Build datagram(std::function<void(Bytes&)> change) {
  return [=](World& w) {
    const FrameSpec spec = w.rig.spec_of(*w.client, FrameType::Ping);
    Bytes bytes = build_datagram(spec);
    change(bytes);
    return build_udp_frame(spec, bytes);
  };
}

void nothing(Header&) {}

}  // namespace

std::vector<MalformedCase> header_cases() {
  return {
      {"no MCP at all", DropReason::kShortHeader, {}, datagram([](Bytes& b) { b.clear(); }), {}},
      {"a header one byte short", DropReason::kShortHeader, {}, datagram([](Bytes& b) { b.pop_back(); }), {}},
      {"another magic", DropReason::kBadMagic, {}, datagram([](Bytes& b) { b[1] = std::byte{'D'}; }), {}},
      {"version 2", DropReason::kBadVersion, {}, ping([](Header& h) { h.mutate_version(2); }), {}},
      {"type 0", DropReason::kBadType, {}, ping([](Header& h) { h.mutate_type(FrameType::None); }), {}},
      {"type 19", DropReason::kBadType, {}, ping([](Header& h) { h.mutate_type(FrameType(19)); }), {}},
      {"an unknown flag", DropReason::kBadFlags, {}, ping([](Header& h) { h.mutate_flags(1U << 7); }), {}},
      {"sealed", DropReason::kSealed, {}, ping([](Header& h) { h.mutate_flags(1U << 5); }), {}},
      {"bytes behind a PING", DropReason::kBadLength, {}, datagram([](Bytes& b) { b.resize(120); }), {}},
      {"a message shorter than its frame",
       DropReason::kBadLength,
       {},
       send([](Header& h) { h.mutate_message_length(h.message_length() - 1); }),
       {}},
      {"a message of 17 MiB",
       DropReason::kBadLength,
       {},
       send([](Header& h) { h.mutate_message_length(17U << 20); }),
       {}},
      {"a table length no multiple of 4",
       DropReason::kBadTable,
       {},
       send([](Header& h) { h.mutate_table_length(static_cast<std::uint16_t>(h.table_length() + 2)); }),
       {}},
      {"a SEND without a table", DropReason::kBadTable, {}, send([](Header& h) { h.mutate_table_length(0); }), {}},
      {"a RESULT with a table", DropReason::kBadTable, {}, result([](Header& h) { h.mutate_table_length(4); }), {}},
      {"a SEND without time to live", DropReason::kBadField, {}, send([](Header& h) { h.mutate_ttl_ms(0); }), {}},
      {"an unknown reason", DropReason::kBadField, {}, ping([](Header& h) { h.mutate_reason(wire::Reason(99)); }), {}},
      {"a RESULT of no attempt", DropReason::kBadField, {}, result([](Header& h) { h.mutate_attempt(0); }), {}},
      {"a PING without a session", DropReason::kBadField, {}, ping([](Header& h) { h.mutate_session(0); }), {}},
      {"a RESULT that says Draining",
       DropReason::kBadField,
       {},
       result([](Header& h) { h.mutate_reason(wire::Reason::Draining); }),
       {}},
      {"a fragment of a RESULT",
       DropReason::kBadFragment,
       {},
       result([](Header& h) { h.mutate_fragment_index(3); }),
       {}},
      {"a fragment of a SEND",
       DropReason::kNone,
       FrameType::Reject,
       send([](Header& h) { h.mutate_message_length(h.message_length() + 900); }),
       {}},
      {"a RESULT with more to come",
       DropReason::kBadFragment,
       {},
       result([](Header& h) { h.mutate_flags(1U << 1); }),
       {}},
      {"a broker's frame", DropReason::kUnsupportedType, {}, of_type(FrameType::Deliver), {}},
      {"an event", DropReason::kUnsupportedType, {}, of_type(FrameType::Event), {}},
      {"a PUBLISH without a table", DropReason::kBadTable, {}, publish("a", [](Bytes& table) { table.clear(); }), {}},
      {"a PUBLISH with a table that is none",
       DropReason::kBadTable,
       {},
       publish("a", [](Bytes& table) { std::ranges::fill(table, std::byte{0xcc}); }),
       {}},
      {"a PUBLISH on a pattern",
       DropReason::kBadTable,
       {},
       publish("a.b", [](Bytes& table) { std::ranges::replace(table, std::byte{'b'}, std::byte{'*'}); }),
       {}},
      {"a SUBSCRIBE with a payload",
       DropReason::kBadLength,
       {},
       [](World& w) {
         FrameSpec spec = w.rig.spec_of(*w.client, FrameType::Subscribe);
         spec.payload = testing::to_bytes("more");
         return build_frame(spec);
       },
       {}},
      {"a GRANT", DropReason::kNone, FrameType::Reject, of_type(FrameType::Grant), {}},
      {"a RESEND", DropReason::kUnsupportedType, {}, of_type(FrameType::Resend), {}},
      {"a HELLO without a cookie",
       DropReason::kNone,
       FrameType::Retry,
       [](World&) { return build_frame(testing::sample_spec(FrameType::Hello)); },
       {}},
      {"a route table that is none",
       DropReason::kNone,
       FrameType::Reject,
       [](World& w) {
         FrameSpec spec = w.rig.send_spec(*w.client, 9, 1);
         std::ranges::fill(spec.table, std::byte{0xcc});
         return build_frame(spec);
       },
       {}},
  };
}

std::vector<MalformedCase> session_cases() {
  const auto stranger = [](Header& h) { h.mutate_session(0x7ff00001), h.mutate_worker_session(0x7ff00001); };
  const auto foreign_boot = [](Header& h) { h.mutate_boot_id(1); };
  return {
      {"an ACK of a stranger", DropReason::kUnknownSession, {}, stopped(stranger), {}},
      {"an ACK of another boot", DropReason::kUnknownSession, {}, stopped(foreign_boot), {}},
      {"a PING of a stranger", DropReason::kNone, FrameType::Reject, ping(stranger), {}},
      {"a PING of another boot", DropReason::kNone, FrameType::Reject, ping(foreign_boot), {}},
      {"an ACK from elsewhere",
       DropReason::kWrongSource,
       {},
       [](World& w) {
         FrameSpec spec = w.rig.stop_spec(*w.worker, w.route_header(), wire::Reason::Stopped);
         ++spec.source.port;
         return build_frame(spec);
       },
       {}},
      {"a SEND from elsewhere",
       DropReason::kNone,
       FrameType::Reject,
       [](World& w) {
         FrameSpec spec = w.rig.send_spec(*w.client, 9, 1);
         ++spec.source.port;
         return build_frame(spec);
       },
       {}},
      {"a worker's SEND",
       DropReason::kWrongService,
       {},
       [](World& w) { return build_frame(w.rig.send_spec(*w.worker, 0, 1)); },
       {}},
      {"a slot over the limit", DropReason::kBadSlot, {}, send([](Header& h) { h.mutate_slot(256); }), {}},
      {"a sequence too far ahead", DropReason::kStaleSequence, {}, send([](Header& h) { h.mutate_sequence(9); }), {}},
      {"a task in progress again", DropReason::kNone, FrameType::Ack, send([](Header& h) { h.mutate_slot(0); }), {}},
      {"a payload that nobody asked for",
       DropReason::kDuplicate,
       {},
       send([](Header& h) { h.mutate_token_generation(1); }),
       {}},
      {"a delivered task again", DropReason::kDuplicate, {}, send([](Header& h) { h.mutate_slot(1); }), {}},
      {"an ACK of no CANCEL of ours", DropReason::kStaleToken, {}, stopped(nothing), {}},
      {"an ACK of a RESULT",
       DropReason::kUnexpectedAck,
       {},
       stopped([](Header& h) { h.mutate_answers(FrameType::Result); }),
       {}},
      {"a RESULT of another generation",
       DropReason::kNone,
       FrameType::Ack,
       result([](Header& h) { h.mutate_token_generation(77); }),
       {}},
  };
}

}  // namespace mcplane::dataplane
