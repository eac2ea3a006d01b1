// What a core copies of its frames while a capture is on.
#include "dataplane/tap.h"

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

using state::Capture;
using state::CapturedFrame;

constexpr std::uint32_t bit(FrameType type) { return 1U << raw(type); }

class Tapping : public PairTest {
 protected:
  void capture(const state::CaptureFilter& filter) {
    capture_ = std::make_shared<Capture>(filter, 1);
    rig().shared.set_capture(capture_);
  }
  std::vector<CapturedFrame> taken() {
    std::vector<CapturedFrame> frames(Capture::kSlots);
    frames.resize(capture_->lanes[0]->frames.pop(frames));
    return frames;
  }
  void TearDown() override {
    rig().shared.set_capture(nullptr);
    PairTest::TearDown();
  }
  std::shared_ptr<Capture> capture_;
};

TEST_F(Tapping, AFrameInAndWhatLeavesForItAsTheyAreOnTheWire) {
  start(1);
  capture({.snap_bytes = CapturedFrame::kBytesMax});
  const FrameSpec spec = rig().send_spec(*client, 0, 1);
  const Bytes sent = build_frame(spec);
  const Sent routed = only(exchange(spec), FrameType::Route);
  const auto frames = taken();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_FALSE(frames[0].outgoing);
  EXPECT_EQ(frames[0].at_ns, rig().now_ns);
  EXPECT_EQ(frames[0].length, sent.size());
  EXPECT_EQ(Bytes(frames[0].bytes.begin(), frames[0].bytes.begin() + frames[0].captured), sent);
  EXPECT_TRUE(frames[1].outgoing);
  EXPECT_EQ(Bytes(frames[1].bytes.begin(), frames[1].bytes.begin() + frames[1].captured), routed.bytes);
}

TEST_F(Tapping, AFrameInTwoBuffersIsWhole) {
  for (std::uint32_t number = 1; number <= 2; ++number) {
    client = &rig().add_client();
    rig().subscriptions[{client->session.index(), number}] = {"a", ""};
  }
  rig().publish_topics();
  step();
  for (const std::uint16_t snap_bytes : std::array<std::uint16_t, 3>{64, 200, CapturedFrame::kBytesMax}) {
    capture({.types = bit(FrameType::Event), .snap_bytes = snap_bytes});
    const auto events = exchange(rig().publish_spec(*client, "a", std::string(100, 'x')));
    const auto frames = taken();
    ASSERT_EQ(events.size(), 2U);
    ASSERT_EQ(frames.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(frames[i].length, events[i].bytes.size());
      EXPECT_EQ(frames[i].captured, std::min<std::size_t>(snap_bytes, events[i].bytes.size()));
      EXPECT_TRUE(std::ranges::equal(std::span(frames[i].bytes).first(frames[i].captured),
                                     std::span(events[i].bytes).first(frames[i].captured)));
    }
  }
}

TEST_F(Tapping, OfThatPeerOrOfThoseTypesOnly) {
  start(4);
  capture({.peer = worker->address.ip, .snap_bytes = CapturedFrame::kBytesMax});
  const Sent routed = route(0);
  auto frames = taken();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(frames[0].outgoing) << "the SEND is its client's";
  capture({.types = bit(FrameType::Result) | bit(FrameType::Deliver), .snap_bytes = CapturedFrame::kBytesMax});
  route(1);
  EXPECT_TRUE(taken().empty());
  finish(routed);
  EXPECT_EQ(taken().size(), 2U);
}

TEST_F(Tapping, NoMoreThanItsFirstBytes) {
  start(1);
  capture({.snap_bytes = 64});
  const Sent routed = route(0);
  const auto frames = taken();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1].captured, 64);
  EXPECT_EQ(frames[1].length, routed.bytes.size());
}

TEST_F(Tapping, FramesThatAreNoMcpAreThereWhenAllAreAskedFor) {
  start(1);
  const Bytes noise(20, std::byte{7});
  capture({.types = bit(FrameType::Send), .snap_bytes = 64});
  rig().inject(ShardId{0}, noise);
  rig().step();
  EXPECT_TRUE(taken().empty());
  capture({.snap_bytes = 64});
  rig().inject(ShardId{0}, noise);
  rig().step();
  EXPECT_EQ(taken().size(), 1U);
}

TEST_F(Tapping, WhatAFullRingDoesNotTakeIsCounted) {
  start(1);
  capture({.snap_bytes = 64});
  const Bytes noise(20, std::byte{7});
  for (std::size_t i = 0; i < Capture::kSlots + 3; ++i) {
    rig().inject(ShardId{0}, noise);
    rig().step();
  }
  EXPECT_EQ(taken().size(), Capture::kSlots);
  EXPECT_EQ(capture_->lanes[0]->missed.read(), 3U);
}

}  // namespace
}  // namespace mcplane::dataplane
