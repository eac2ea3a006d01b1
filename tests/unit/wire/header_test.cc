// check_datagram: every reason of the MCP header group, by type.
#include "wire/header.h"

#include <gtest/gtest.h>

#include "support/frame_builder.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::FrameSpec;
using enum DropReason;
using Edit = std::function<void(Header&)>;

FrameSpec spec_of(FrameType type, Edit edit = {}) {
  FrameSpec spec = testing::sample_spec(type);
  spec.edit = std::move(edit);
  return spec;
}
// Same type, with other bytes behind the header.
FrameSpec body(FrameType type, std::size_t table_bytes, std::size_t payload_bytes, Edit edit = {}) {
  FrameSpec spec = spec_of(type, std::move(edit));
  spec.table.assign(table_bytes, std::byte{0});
  spec.payload.assign(payload_bytes, std::byte{0});
  return spec;
}

DropReason reason_of(const FrameSpec& spec) { return testing::parse(build_frame(spec)).reason; }

struct FrameCase {
  const char* what;
  FrameSpec spec;
  DropReason want;
};
void expect_all(const std::vector<FrameCase>& cases) {
  for (const FrameCase& one : cases) EXPECT_EQ(name_of(reason_of(one.spec)), name_of(one.want)) << one.what;
}

TEST(CheckDatagram, EverySampleIsSound) {
  for (const auto type : testing::all_types())
    EXPECT_EQ(name_of(reason_of(spec_of(type))), "none") << EnumNameFrameType(type);
}

TEST(CheckDatagram, LeadFaultsOfEveryType) {
  for (const auto type : testing::all_types()) {
    SCOPED_TRACE(EnumNameFrameType(type));
    expect_all({
        {"version 0", spec_of(type, [](Header& h) { h.mutate_version(0); }), kBadVersion},
        {"version 2", spec_of(type, [](Header& h) { h.mutate_version(2); }), kBadVersion},
        {"type 0", spec_of(type, [](Header& h) { h.mutate_type(FrameType::None); }), kBadType},
        {"type 19", spec_of(type, [](Header& h) { h.mutate_type(FrameType{19}); }), kBadType},
        {"type 255", spec_of(type, [](Header& h) { h.mutate_type(FrameType{255}); }), kBadType},
        {"sealed", spec_of(type, [](Header& h) { h.mutate_flags(raw(Flag::Sealed)); }), kSealed},
        {"reason 19", spec_of(type, [](Header& h) { h.mutate_reason(Reason{19}); }), kBadField},
        {"executed 4", spec_of(type, [](Header& h) { h.mutate_executed(Executed{4}); }), kBadField},
        {"answers 19", spec_of(type, [](Header& h) { h.mutate_answers(FrameType{19}); }), kBadField},
        {"table of 3 bytes", spec_of(type, [](Header& h) { h.mutate_table_length(3); }), kBadTable},
        {"table of 1028 bytes", spec_of(type, [](Header& h) { h.mutate_table_length(1028); }), kBadTable},
        {"message over 16 MiB", spec_of(type, [](Header& h) { h.mutate_message_length((16U << 20) + 1); }), kBadLength},
    });
    for (const unsigned bit : {7U, 10U, 11U, 12U, 13U})
      EXPECT_EQ(reason_of(spec_of(type, [bit](Header& h) { h.mutate_flags(static_cast<std::uint16_t>(1U << bit)); })),
                kBadFlags);
  }
}

TEST(CheckDatagram, KnownFlagsAndPrioritiesPass) {
  for (const unsigned bit : {0U, 1U, 2U, 3U, 4U, 6U, 8U, 9U, 14U, 15U})
    EXPECT_EQ(reason_of(spec_of(FrameType::Send,
                                [bit](Header& h) { h.mutate_flags(static_cast<std::uint16_t>(1U << bit)); })),
              kNone)
        << bit;
  EXPECT_EQ(priority_of(with_priority(raw(Flag::ANY), 2)), 2);
  EXPECT_EQ(with_priority(with_priority(raw(Flag::ANY), 3), 0), raw(Flag::ANY));
}

TEST(CheckDatagram, ShortAndForeign) {
  const FrameSpec spec = spec_of(FrameType::Ping);
  Bytes datagram = build_datagram(spec);
  const auto reason = [&spec](const Bytes& bytes) { return testing::parse(build_udp_frame(spec, bytes)).reason; };
  EXPECT_EQ(reason({}), kShortHeader);
  EXPECT_EQ(reason(Bytes(datagram.begin(), datagram.end() - 1)), kShortHeader);
  EXPECT_EQ(reason(datagram), kNone);
  datagram[0] = std::byte{'m'};
  EXPECT_EQ(reason(datagram), kBadMagic);
  datagram[0] = kMagic[0];
  datagram[1] = std::byte{0};
  EXPECT_EQ(reason(datagram), kBadMagic);
}

TEST(CheckDatagram, BodylessTypesAreTheLeadAlone) {
  for (const auto type : {FrameType::Ack, FrameType::Ping, FrameType::Pong, FrameType::Bye, FrameType::Reject,
                          FrameType::Resend, FrameType::Cancel, FrameType::Unsubscribe}) {
    SCOPED_TRACE(EnumNameFrameType(type));
    expect_all({
        {"a byte behind", body(type, 0, 1), kBadLength},
        {"a table behind", body(type, 8, 0), kBadLength},
        {"a table that is not there", spec_of(type, [](Header& h) { h.mutate_table_length(4); }), kBadLength},
    });
  }
}

TEST(CheckDatagram, RegistrationBodies) {
  const auto answers_hello = [](Header& h) { h.mutate_answers(FrameType::Hello); };
  expect_all({
      {"RETRY with more than a cookie", body(FrameType::Retry, 0, 1), kBadLength},
      {"RETRY with a table", body(FrameType::Retry, 4, 0), kBadLength},
      {"HELLO without a table", body(FrameType::Hello, 0, 100), kBadTable},
      {"HELLO with a table that is not there",
       body(FrameType::Hello, 8, 0, [](Header& h) { h.mutate_table_length(12); }), kBadLength},
      {"HELLO without padding", body(FrameType::Hello, 8, 0), kNone},
      {"ACK to HELLO without Welcome", body(FrameType::Ack, 0, 0, answers_hello), kBadLength},
      {"ACK to HELLO with Welcome", body(FrameType::Ack, 0, sizeof(fb::Welcome), answers_hello), kNone},
      {"ACK to HELLO with more", body(FrameType::Ack, 0, sizeof(fb::Welcome) + 1, answers_hello), kBadLength},
      {"ACK to SEND with Welcome", body(FrameType::Ack, 0, sizeof(fb::Welcome)), kBadLength},
      {"REJECT of a HELLO that has no session",
       spec_of(FrameType::Reject,
               [](Header& h) {
                 h.mutate_answers(FrameType::Hello);
                 h.mutate_session(0);
               }),
       kNone},
  });
}

TEST(CheckDatagram, MessageLengthsAndParts) {
  const auto longer = [](Header& h) { h.mutate_message_length(h.message_length() + 1); };
  const auto shorter = [](Header& h) { h.mutate_message_length(h.message_length() - 1); };
  const auto second = [](Header& h) { h.mutate_fragment_index(1); };
  const auto more = [](Header& h) { h.mutate_flags(raw(Flag::More)); };
  for (const auto type : {FrameType::Send, FrameType::Route}) {
    SCOPED_TRACE(EnumNameFrameType(type));
    const auto part = [](std::uint32_t whole) {
      return [whole](Header& h) {
        h.mutate_fragment_index(0xffff);
        h.mutate_token_generation(1);
        h.mutate_message_length(whole);
      };
    };
    expect_all({
        {"part 0", spec_of(type, longer), kNone},
        {"part 0 of the longest", spec_of(type, [](Header& h) { h.mutate_message_length(kMessageBytesMax); }), kNone},
        {"part 0 of one too long", spec_of(type, [](Header& h) { h.mutate_message_length(kMessageBytesMax + 1); }),
         kBadLength},
        {"bytes behind the message", spec_of(type, shorter), kBadLength},
        {"a later part with a table", spec_of(type, second), kBadFragment},
        {"a later part", body(type, 0, 100, part(101)), kNone},
        {"a later part without a token",
         body(type, 0, 100,
              [](Header& h) {
                h.mutate_fragment_index(1);
                h.mutate_message_length(101);
                h.mutate_token_generation(0);
              }),
         kBadFragment},
        {"a later part that is all there is", body(type, 0, 100, part(100)), kBadFragment},
        {"a later part of nothing", body(type, 0, 0, part(100)), kBadFragment},
    });
  }
  for (const auto type : {FrameType::Result, FrameType::Deliver}) {
    SCOPED_TRACE(EnumNameFrameType(type));
    expect_all({
        {"less than it says", spec_of(type, longer), kBadLength},
        {"bytes behind the message", spec_of(type, shorter), kBadLength},
        {"the last part", spec_of(type, second), kNone},
        {"part 0", spec_of(type, more), kNone},
    });
  }
  expect_all({
      {"SEND without a table", body(FrameType::Send, 0, 100), kBadTable},
      {"ROUTE without a table", body(FrameType::Route, 0, 100), kBadTable},
      {"SEND with a table beyond it", body(FrameType::Send, 8, 0, [](Header& h) { h.mutate_table_length(12); }),
       kBadLength},
      {"RESULT with a table", body(FrameType::Result, 4, 8), kBadTable},
      {"DELIVER with a table", body(FrameType::Deliver, 4, 8), kBadTable},
      {"empty RESULT", body(FrameType::Result, 0, 0), kNone},
      {"SEND with the longest table", body(FrameType::Send, kTableBytesMax, 0), kNone},
  });
}

TEST(CheckDatagram, FieldsByType) {
  const auto no_session = [](Header& h) { h.mutate_session(0); };
  const auto no_attempt = [](Header& h) { h.mutate_attempt(0); };
  const auto no_ttl = [](Header& h) { h.mutate_ttl_ms(0); };
  for (const auto type : testing::all_types()) {
    SCOPED_TRACE(EnumNameFrameType(type));
    const bool registers = type == FrameType::Hello || type == FrameType::Retry;
    const bool routes = type == FrameType::Send || type == FrameType::Route;
    const bool attempted =
        type == FrameType::Route || type == FrameType::Result || type == FrameType::Deliver || type == FrameType::Grant;
    expect_all({
        {"no session", spec_of(type, no_session), registers ? kNone : kBadField},
        {"no attempt", spec_of(type, no_attempt), attempted ? kBadField : kNone},
        {"no ttl", spec_of(type, no_ttl), routes ? kBadField : kNone},
    });
  }
  const auto degraded = [](Header& h) {
    h.mutate_attempt(0);
    set_substitute(h, Substitute::Reply);
  };
  EXPECT_EQ(reason_of(spec_of(FrameType::Deliver, degraded)), kNone);
  EXPECT_EQ(reason_of(spec_of(FrameType::Result, degraded)), kBadField);
  for (const std::uint32_t unknown : {0U, 5U})
    EXPECT_EQ(reason_of(spec_of(FrameType::Deliver,
                                [unknown](Header& h) {
                                  h.mutate_flags(raw(Flag::Degraded));
                                  h.mutate_ttl_ms(unknown);
                                })),
              kBadField);
}

TEST(CheckDatagram, GrantsAndEvents) {
  const auto far = [](Header& h) { h.mutate_ttl_ms(0x10000); };
  const auto absent = [](Header& h) { h.mutate_table_length(12); };
  expect_all({
      {"GRANT with the longest bitmap", body(FrameType::Grant, 0, kGrantBitmapBytesMax), kNone},
      {"GRANT with a longer one", body(FrameType::Grant, 0, kGrantBitmapBytesMax + 4), kBadLength},
      {"GRANT with half a word", body(FrameType::Grant, 0, 2), kBadLength},
      {"GRANT with a table", body(FrameType::Grant, 4, 0), kBadTable},
      {"GRANT without bound", spec_of(FrameType::Grant, far), kBadField},
      {"SUBSCRIBE without a table", body(FrameType::Subscribe, 0, 0), kBadTable},
      {"SUBSCRIBE with a payload", body(FrameType::Subscribe, 8, 1), kBadLength},
      {"PUBLISH without a table", body(FrameType::Publish, 0, 77), kBadTable},
      {"PUBLISH with any payload", body(FrameType::Publish, 8, 77), kNone},
      {"EVENT with a table beyond it", body(FrameType::Event, 8, 0, absent), kBadLength},
  });
}

// Each byte of their leads takes every value: what is plain is sound, and most that is sound is plain.
TEST(PlainTask, IsSound) {
  for (const FrameType type : {FrameType::Send, FrameType::Result}) {
    SCOPED_TRACE(EnumNameFrameType(type));
    Bytes frame = testing::build_frame(spec_of(type));
    const testing::Parsed parsed = testing::parse(frame);
    ASSERT_EQ(parsed.reason, kNone);
    const std::span<const std::byte> datagram = parsed.datagram;
    const auto at = static_cast<std::size_t>(datagram.data() - frame.data());
    const auto is_plain = [&] { return is_plain_task(datagram.data(), static_cast<std::uint16_t>(datagram.size())); };
    EXPECT_TRUE(is_plain());
    std::size_t sound = 0, plain = 0;
    for (std::size_t i = 0; i < kLeadBytes; ++i) {
      const std::byte before = frame[at + i];
      for (unsigned value = 0; value <= 0xff; ++value) {
        frame[at + i] = static_cast<std::byte>(value);
        const bool is_sound = check_datagram(datagram) == kNone;
        sound += is_sound ? 1 : 0;
        plain += is_plain() ? 1 : 0;
        ASSERT_TRUE(is_sound || !is_plain()) << "byte " << i << " is " << value;
      }
      frame[at + i] = before;
    }
    EXPECT_GT(plain, sound * 9 / 10);
  }
}

TEST(Header, BeginsZeroedWithVersionAndType) {
  alignas(4) std::array<std::byte, 2 + kLeadBytes + 1> buffer;
  buffer.fill(std::byte{0xee});
  const auto datagram = std::span(buffer).subspan(2);
  const Header& header = begin_datagram(datagram, FrameType::Pong);
  EXPECT_EQ(datagram[0], std::byte{'M'});
  EXPECT_EQ(datagram[1], std::byte{'C'});
  EXPECT_EQ(header.version(), kVersion);
  EXPECT_EQ(header.type(), FrameType::Pong);
  for (std::size_t i = kMagicBytes + 2; i < kLeadBytes; ++i) EXPECT_EQ(datagram[i], std::byte{0}) << i;
  EXPECT_EQ(datagram[kLeadBytes], std::byte{0xee});
}

// The offsets schemas/mcp.fbs promises to other languages.
TEST(Header, LiesAsTheSchemaSays) {
  alignas(4) std::array<std::byte, 2 + kLeadBytes> buffer{};
  const auto datagram = std::span(buffer).subspan(2);
  Header& header = begin_datagram(datagram, FrameType::Route);
  header.mutate_flags(0x0201);
  header.mutate_boot_id(0x04030201);
  set_token(header, {0x14131211, 0x18171615});
  header.mutate_slot(0x2221);
  header.mutate_table_length(0x2423);
  header.mutate_message_length(0x34333231);
  header.mutate_worker_us(0x44434241);
  header.mutable_task_id()->Mutate(15, 0x5f);
  const auto at = [&datagram](std::size_t offset) { return std::to_integer<int>(datagram[kMagicBytes + offset]); };
  EXPECT_EQ(at(0), 1);
  EXPECT_EQ(at(1), 8);
  EXPECT_EQ(at(2), 0x01);
  EXPECT_EQ(at(3), 0x02);
  EXPECT_EQ(at(8), 0x01);
  EXPECT_EQ(at(20), 0x11);
  EXPECT_EQ(at(27), 0x18);
  EXPECT_EQ(at(32), 0x21);
  EXPECT_EQ(at(35), 0x24);
  EXPECT_EQ(at(40), 0x31);
  EXPECT_EQ(at(52), 0x41);
  EXPECT_EQ(at(71), 0x5f);
  EXPECT_EQ(task_id_of(header)[15], 0x5f);
  EXPECT_EQ(token_of(header), (TaskToken{0x14131211, 0x18171615}));
}

TEST(Header, TableAndPayloadOfEveryType) {
  for (const auto type : testing::all_types()) {
    const FrameSpec spec = spec_of(type);
    const Bytes frame = build_frame(spec);
    const testing::Parsed parsed = testing::parse(frame);
    EXPECT_TRUE(std::ranges::equal(parsed.table(), spec.table)) << EnumNameFrameType(type);
    // RETRY has its cookie for a payload.
    if (type != FrameType::Retry) {
      EXPECT_TRUE(std::ranges::equal(parsed.payload(), spec.payload)) << EnumNameFrameType(type);
    }
  }
}

}  // namespace
}  // namespace mcplane::wire
