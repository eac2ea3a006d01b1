// A capture's file, what bounds it, and what is said when there was no room: the test copies frames as cores would.
#include "control/cores/captures.h"

#include <gtest/gtest.h>

#include <cstring>

#include "control_fixture.h"

namespace mcplane::control {
namespace {

constexpr std::size_t kFileHeader = 24, kFrameHeader = 16;
constexpr std::uint64_t kUnixNs = 1'700'000'000ULL * kNsPerSecond;

class CapturesTest : public ControlTest {
 protected:
  void begin(std::uint64_t frames_max, std::uint64_t duration_ns = kNsPerSecond) {
    file = control->capture(
        {.filter = {.snap_bytes = 64}, .frames_max = frames_max, .duration_ns = duration_ns, .unix_ns = [] {
           return kUnixNs;
         }});
    ASSERT_NE(file, nullptr);
  }
  void copy(std::size_t shard, std::uint64_t at_ns, std::uint8_t mark) {
    state::CapturedFrame frame;
    frame.at_ns = at_ns;
    frame.length = 100;
    frame.captured = 64;
    frame.bytes[0] = std::byte{mark};
    shared->capture.load()->lanes[shard]->frames.try_push(frame);
  }
  std::string rest() {
    std::string all;
    while (const auto bytes = file->take(std::chrono::milliseconds(0))) {
      if (bytes->empty()) break;
      all += *bytes;
    }
    return all;
  }
  static std::uint32_t word(const std::string& bytes, std::size_t at) {
    std::uint32_t value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  }

  std::shared_ptr<CaptureFile> file;
};

TEST_F(CapturesTest, AFileThatPcapReadersKnowInTheOrderOfTime) {
  start(2);
  run(1);
  begin(100);
  const std::uint64_t shards_ns = shared->shards[0]->loop_ns.load();
  copy(0, shards_ns + 2, 2);
  copy(1, shards_ns + 1, 1);
  poll();
  const std::string bytes = rest();
  ASSERT_EQ(bytes.size(), kFileHeader + 2 * (kFrameHeader + 64));
  EXPECT_EQ(word(bytes, 0), 0xa1b23c4dU);
  EXPECT_EQ(word(bytes, 20), 1U) << "Ethernet";
  EXPECT_EQ(word(bytes, kFileHeader), kUnixNs / kNsPerSecond);
  EXPECT_EQ(word(bytes, kFileHeader + 4), 1U) << "its nanoseconds";
  EXPECT_EQ(word(bytes, kFileHeader + 8), 64U);
  EXPECT_EQ(word(bytes, kFileHeader + 12), 100U);
  EXPECT_EQ(bytes[kFileHeader + kFrameHeader], 1);
  EXPECT_EQ(bytes[kFileHeader + 2 * kFrameHeader + 64], 2);
}

TEST_F(CapturesTest, EndsWithItsFramesAndCoresCopyNoMore) {
  start();
  begin(2);
  EXPECT_NE(shared->capture.load(), nullptr);
  EXPECT_EQ(control->capture({.frames_max = 1, .duration_ns = 1, .unix_ns = [] { return kUnixNs; }}), nullptr);
  for (std::uint8_t i = 0; i < 3; ++i) copy(0, i, i);
  poll();
  EXPECT_EQ(shared->capture.load(), nullptr);
  EXPECT_FALSE(control->captures().on());
  EXPECT_EQ(control->captures().frames(), 2U);
  EXPECT_EQ(rest().size(), kFileHeader + 2 * (kFrameHeader + 64));
  EXPECT_FALSE(file->take(std::chrono::milliseconds(0)));
  begin(1);
  EXPECT_EQ(control->captures().frames(), 0U);
}

TEST_F(CapturesTest, EndsWithItsTimeOrItsReader) {
  start();
  begin(10, 5 * kNsPerMs);
  run(4);
  EXPECT_TRUE(control->captures().on());
  run(2);
  EXPECT_FALSE(control->captures().on());
  begin(10);
  file->abandon();
  poll();
  EXPECT_FALSE(control->captures().on());
}

TEST_F(CapturesTest, WhatFoundNoRoomIsSaid) {
  start();
  begin(1'000'000, 3'600 * kNsPerSecond);
  shared->capture.load()->lanes[0]->missed.add(5);
  poll();
  EXPECT_EQ(control->captures().missed(), 5U);
  std::uint64_t copied = 0;
  while (control->captures().missed() == 5) {
    for (std::size_t i = 0; i < state::Capture::kSlots; ++i) copy(0, ++copied, 0);
    poll();
    ASSERT_LT(copied, 2 * CaptureFile::kPendingBytesMax / (kFrameHeader + 64)) << "nobody reads";
  }
  file->abandon();
  poll();
  EXPECT_EQ(control->captures().frames() + control->captures().missed() - 5, copied);
}

}  // namespace
}  // namespace mcplane::control
