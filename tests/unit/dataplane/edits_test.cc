// Every truncation and every one-byte edit of a sound frame of each type, through the whole shard, with the checksums
// as they were and made right again: at most one frame comes out, none longer than went in, and no state stays.
#include "unit/dataplane/dataplane_test.h"
#include "wire/registration.h"

namespace mcplane::dataplane {
namespace {

class Edits : public PairTest, public ::testing::WithParamInterface<FrameType> {
 protected:
  void SetUp() override {
    options.buffers = 512;
    start(64);
    routed_ = std::make_unique<Sent>(route(0));
  }

  // The sound frame to break; RESULT and ACK speak of the routed task.
  Bytes sound() {
    const FrameType type = GetParam();
    if (type == FrameType::Send) return testing::build_frame(rig().send_spec(*client, 1, 1));
    if (type == FrameType::Result) return testing::build_frame(rig().result_spec(*worker, routed_->header()));
    if (type == FrameType::Ack)
      return testing::build_frame(rig().stop_spec(*worker, routed_->header(), Reason::Stopped));
    FrameSpec spec = rig().spec_of(*client, type);
    if (type == FrameType::Hello) {
      spec.cookie = wire::make_cookie(rig().shared.options.cookie_key, spec.source, 0);
      spec.payload.resize(64);
    }
    return testing::build_frame(spec);
  }

  void take_in(const Bytes& frame) {
    rig().inject(ShardId{0}, frame);
    rig().step();
    auto sent = rig().take_sent();
    // A CANCEL that names the task is answered, and passed on.
    ASSERT_LE(sent.size(), GetParam() == FrameType::Cancel ? 2U : 1U);
    for (const Sent& one : sent) {
      expect_sound(one);
      ASSERT_LE(one.bytes.size(), std::max<std::size_t>(frame.size(), 140));
    }
    rig().take_punts();
    const std::size_t tasks = rig().shard().tasks.in_use();
    ASSERT_LE(tasks, GetParam() == FrameType::Send ? 2U : 1U);
    if (tasks != 1 || rig().in_state(TaskState::kRouted) != 1) restore();
  }
  // Back to one routed task and fresh client slots, after an edit that did no harm: the client gives all up.
  void restore() {
    exchange(rig().stop_spec(*worker, routed_->header(), Reason::Stopped));
    for (std::uint16_t slot = 0; slot < client->spec.slots; ++slot) {
      const ClientSlot& left = slot_of(*client, slot);
      if (left.task == ClientSlot::kNoTask) continue;
      for (const Sent& frame : exchange(rig().cancel_spec(*client, slot, left.sequence)))
        if (frame.type() == FrameType::Cancel) exchange(rig().stop_spec(*worker, frame.header(), Reason::Stopped));
    }
    ASSERT_EQ(rig().shard().tasks.in_use(), 0U);
    std::ranges::fill(rig().shard().client_slots, ClientSlot{});
    routed_ = std::make_unique<Sent>(route(0));
  }

 private:
  std::unique_ptr<Sent> routed_;
};

TEST_P(Edits, OfOneByteDoNoHarm) {
  const std::size_t length = sound().size();
  for (std::size_t at = 0; at < length; ++at)
    for (const unsigned flip : {0x01U, 0x80U, 0xffU})
      for (const bool refresh : {false, true}) {
        Bytes frame = sound();
        frame[at] ^= static_cast<std::byte>(flip);
        if (refresh) testing::refresh_checksums(frame);
        ASSERT_NO_FATAL_FAILURE(take_in(frame)) << "byte " << at << " flipped by " << flip;
      }
  EXPECT_EQ(rig().check_counters(), "");
}

TEST_P(Edits, TruncationsDoNoHarm) {
  const std::size_t length = sound().size();
  const auto lower = testing::parse(sound()).lower;
  for (std::size_t kept = 0; kept < length; ++kept) {
    Bytes frame = sound();
    frame.resize(kept);
    ASSERT_NO_FATAL_FAILURE(take_in(frame)) << kept << " bytes";
    if (kept < lower.payload_offset) continue;
    // The same with lengths and checksums that say it was sent so.
    FrameSpec spec = testing::sample_spec(GetParam());
    const Bytes whole = sound();
    const auto source = testing::parse(whole).lower.source;
    spec.source = source;
    const auto datagram = std::span(whole).subspan(lower.payload_offset, kept - lower.payload_offset);
    ASSERT_NO_FATAL_FAILURE(take_in(testing::build_udp_frame(spec, datagram))) << kept << " bytes, sent so";
  }
  EXPECT_EQ(rig().check_counters(), "");
}

INSTANTIATE_TEST_SUITE_P(Types, Edits, ::testing::ValuesIn(testing::all_types().begin(), testing::all_types().end()),
                         [](const auto& type) { return std::string(wire::fb::EnumNameFrameType(type.param)); });

}  // namespace
}  // namespace mcplane::dataplane
