// The fault shim over the in-memory NIC: what each fault does to frames, that its rates are those asked for, that a
// seed repeats, and that no buffer is lost whatever happens.
#include "net/faulty_nic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <vector>

#include "net/memory_nic.h"
#include "support/frame_builder.h"

namespace mcplane::net {
namespace {

using Shim = FaultyNic<MemoryNic>;
using Frame = std::vector<std::byte>;
using testing::Family;

static_assert(Nic<Shim>);

constexpr MemoryNic::Options kPool{.buffers = 256};

Frame numbered(unsigned number) {
  Frame frame(60);
  frame[0] = static_cast<std::byte>(number >> 8);
  frame[1] = static_cast<std::byte>(number);
  return frame;
}

unsigned number_of(std::span<const std::byte> frame) {
  return std::to_integer<unsigned>(frame[0]) << 8 | std::to_integer<unsigned>(frame[1]);
}

// Polls until every late frame has come.
std::vector<Frame> receive_all(Shim& shim) {
  std::vector<Frame> frames;
  std::array<Packet, 32> packets;
  for (std::uint32_t poll = 0; poll <= kLatePollsMax + 256; ++poll) {
    const auto received = std::span(packets).first(shim.rx_burst(packets));
    for (const Packet& packet : received) frames.emplace_back(packet.bytes().begin(), packet.bytes().end());
    shim.free(received);
  }
  return frames;
}

std::vector<Frame> through_rx(Shim& shim, unsigned count) {
  std::vector<Frame> frames;
  for (unsigned i = 0; i < count; ++i) {
    EXPECT_TRUE(shim.wrapped().inject(numbered(i)));
    if (i % 64 == 63) std::ranges::move(receive_all(shim), std::back_inserter(frames));
  }
  std::ranges::move(receive_all(shim), std::back_inserter(frames));
  return frames;
}

std::vector<Frame> through_tx(Shim& shim, unsigned count) {
  std::vector<Frame> frames;
  std::array<Packet, 32> burst;
  for (unsigned done = 0; done < count; done += burst.size()) {
    EXPECT_TRUE(shim.allocate(burst));
    for (unsigned i = 0; i < burst.size(); ++i) {
      burst[i].set_length(60);
      std::ranges::copy(numbered(done + i), burst[i].data());
    }
    EXPECT_EQ(shim.tx_burst(burst), burst.size());
    receive_all(shim);
    std::ranges::move(shim.wrapped().take_sent_bytes(), std::back_inserter(frames));
  }
  return frames;
}

void expect_no_buffer_lost(Shim& shim) {
  EXPECT_EQ(shim.wrapped().buffers_free(), shim.wrapped().buffers_total());
  EXPECT_EQ(shim.wrapped().free_errors(), 0U);
}

TEST(FaultyNic, WithoutFaultsIsTheNicItWraps) {
  Shim shim(Faults{}, 0, kPool);
  const auto received = through_rx(shim, 200), sent = through_tx(shim, 192);
  ASSERT_EQ(received.size(), 200U);
  for (unsigned i = 0; i < received.size(); ++i) EXPECT_EQ(received[i], numbered(i));
  ASSERT_EQ(sent.size(), 192U);
  for (unsigned i = 0; i < sent.size(); ++i) EXPECT_EQ(sent[i], numbered(i));
  EXPECT_EQ(shim.received().frames, 200U);
  EXPECT_EQ(shim.sent().frames, 192U);
  EXPECT_EQ(shim.received().lost + shim.sent().lost + shim.received().duplicated + shim.sent().reordered, 0U);
  expect_no_buffer_lost(shim);
}

TEST(FaultyNic, LosesTheShareAskedForAndSaysSo) {
  Shim shim({.loss = 0.3}, 0, kPool);
  const std::size_t received = through_rx(shim, 6'400).size(), sent = through_tx(shim, 6'400).size();
  EXPECT_NEAR(static_cast<double>(received), 0.7 * 6'400, 150);
  EXPECT_NEAR(static_cast<double>(sent), 0.7 * 6'400, 150);
  EXPECT_EQ(shim.received().lost, 6'400 - received);
  EXPECT_EQ(shim.sent().lost, 6'400 - sent);
  expect_no_buffer_lost(shim);
}

TEST(FaultyNic, RepeatsFramesLateAndUnchanged) {
  Shim shim({.duplicate = 0.5}, 0, kPool);
  for (const auto& frames : {through_rx(shim, 640), through_tx(shim, 640)}) {
    std::map<unsigned, int> seen;
    for (const Frame& frame : frames) {
      EXPECT_EQ(frame, numbered(number_of(frame)));
      ++seen[number_of(frame)];
    }
    EXPECT_EQ(seen.size(), 640U);
    EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& entry) { return entry.second <= 2; }));
    EXPECT_NEAR(static_cast<double>(frames.size()), 1.5 * 640, 60);
  }
  EXPECT_GT(shim.received().duplicated, 200U);
  EXPECT_EQ(shim.received().reordered, 0U);
  expect_no_buffer_lost(shim);
}

TEST(FaultyNic, RepeatsAFrameWithItsTail) {
  Shim shim({.duplicate = 1.0}, 0, kPool);
  std::array<Packet, 2> packets;
  ASSERT_TRUE(shim.allocate(packets));
  for (Packet& packet : packets) {
    packet.set_length(60);
    std::ranges::copy(numbered(7), packet.data());
  }
  packets[0].set_tail(packets[1]);
  shim.share(packets[1], 1);
  ASSERT_EQ(shim.tx_burst(std::span(packets).first(1)), 1);
  shim.free(std::span(packets).subspan(1));
  Frame whole = numbered(7);
  std::ranges::copy(numbered(7), std::back_inserter(whole));
  EXPECT_EQ(shim.wrapped().take_sent_bytes(), std::vector<Frame>{whole});
  receive_all(shim);
  EXPECT_EQ(shim.wrapped().take_sent_bytes(), std::vector<Frame>{whole}) << "the late copy";
  expect_no_buffer_lost(shim);
}

TEST(FaultyNic, LetsFramesOvertakeButLosesNone) {
  Shim shim({.reorder = 0.2}, 0, kPool);
  for (const auto& frames : {through_rx(shim, 640), through_tx(shim, 640)}) {
    ASSERT_EQ(frames.size(), 640U);
    std::vector<unsigned> numbers;
    for (const Frame& frame : frames) numbers.push_back(number_of(frame));
    EXPECT_FALSE(std::ranges::is_sorted(numbers));
    std::ranges::sort(numbers);
    for (unsigned i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], i);
  }
  EXPECT_GT(shim.received().reordered, 50U);
  EXPECT_GT(shim.sent().reordered, 50U);
  expect_no_buffer_lost(shim);
}

// How many bits differ, and how far the outermost ones are apart, inclusive.
std::pair<int, std::size_t> difference(std::span<const std::byte> left, std::span<const std::byte> right) {
  int flipped = 0;
  std::size_t first = 0, last = 0;
  for (std::size_t bit = 0; bit < left.size() * 8; ++bit) {
    const auto differing = (left[bit / 8] ^ right[bit / 8]) & (std::byte{0x80} >> bit % 8);
    if (differing == std::byte{}) continue;
    first = flipped++ == 0 ? bit : first;
    last = bit;
  }
  return {flipped, flipped == 0 ? 0 : last - first + 1};
}

TEST(FaultyNic, DamagesOneBurstThatTheChecksumCatches) {
  for (const auto family : {Family::kIpv4, Family::kIpv6})
    for (const std::uint16_t vlan : {wire::kNoVlan, std::uint16_t{5}}) {
      Shim shim({.corrupt = 1, .seed = 9}, 0, kPool);
      const Frame sound = build_frame(testing::sample_spec(wire::FrameType::Send, family, vlan));
      ASSERT_EQ(testing::parse(sound).reason, DropReason::kNone);
      for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(shim.wrapped().inject(sound));
        const auto frames = receive_all(shim);
        ASSERT_EQ(frames.size(), 1U);
        const auto [flipped, span_bits] = difference(sound, frames[0]);
        EXPECT_GE(flipped, 1);
        EXPECT_LE(span_bits, 15U);
        EXPECT_EQ(testing::parse(frames[0]).reason, DropReason::kBadUdpChecksum);
      }
      EXPECT_EQ(shim.received().corrupted, 200U);
      expect_no_buffer_lost(shim);
    }
}

TEST(FaultyNic, DoesNotDamageWhatNoChecksumHolds) {
  Shim shim({.corrupt = 1}, 0, kPool);
  const Frame arp = testing::build_arp({});
  Frame bare = build_frame(testing::sample_spec(wire::FrameType::Send));
  constexpr std::size_t kUdpChecksum = wire::kEthernetBytes + wire::kIpv4Bytes + 6;
  bare[kUdpChecksum] = bare[kUdpChecksum + 1] = std::byte{};
  for (const Frame& frame : {arp, bare, numbered(1)}) {
    ASSERT_TRUE(shim.wrapped().inject(frame));
    const auto frames = receive_all(shim);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0], frame);
  }
  EXPECT_EQ(shim.received().corrupted, 0U);
}

TEST(FaultyNic, NeverHandsOutCorruptionAsVerifiedByTheDevice) {
  struct Verifying : MemoryNic {
    using MemoryNic::MemoryNic;
    std::uint16_t rx_burst(std::span<Packet> packets) noexcept {
      const std::uint16_t count = MemoryNic::rx_burst(packets);
      for (Packet& packet : packets.first(count)) packet.set_checksum_good();
      return count;
    }
  };
  FaultyNic<Verifying> shim({.corrupt = 0.5}, 0, kPool);
  const Frame sound = build_frame(testing::sample_spec(wire::FrameType::Send));
  std::array<Packet, 1> packets;
  int good = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(shim.wrapped().inject(sound));
    ASSERT_EQ(shim.rx_burst(packets), 1);
    EXPECT_EQ(packets[0].checksum_good(), std::ranges::equal(packets[0].bytes(), sound));
    good += packets[0].checksum_good() ? 1 : 0;
    shim.free(packets);
  }
  EXPECT_GT(good, 20);
  EXPECT_LT(good, 80);
}

constexpr Faults kEverything{.loss = 0.2, .duplicate = 0.2, .reorder = 0.2, .corrupt = 0.2, .seed = 5};

TEST(FaultyNic, ASeedRepeatsAndStreamsDiffer) {
  const auto run = [](std::uint64_t seed, std::uint32_t stream) {
    Faults faults = kEverything;
    faults.seed = seed;
    Shim shim(faults, stream, kPool);
    auto frames = through_rx(shim, 320);
    std::ranges::move(through_tx(shim, 320), std::back_inserter(frames));
    return frames;
  };
  EXPECT_EQ(run(5, 0), run(5, 0));
  EXPECT_NE(run(5, 0), run(6, 0));
  EXPECT_NE(run(5, 0), run(5, 1));
}

TEST(FaultyNic, AFullWrappedQueueLeavesTheRestToTheCaller) {
  Shim shim(kEverything, 0, MemoryNic::Options{.buffers = 256, .tx_capacity = 10});
  std::array<Packet, 64> burst;
  ASSERT_TRUE(shim.allocate(burst));
  for (unsigned i = 0; i < burst.size(); ++i) {
    burst[i].set_length(60);
    std::ranges::copy(numbered(i), burst[i].data());
  }
  const std::uint16_t taken = shim.tx_burst(burst);
  EXPECT_LT(taken, 64);
  for (unsigned i = taken; i < burst.size(); ++i) EXPECT_EQ(number_of(burst[i].bytes()), i);
  shim.free(std::span(burst).subspan(taken));
  shim.wrapped().take_sent_bytes();
  receive_all(shim);
  shim.wrapped().take_sent_bytes();
  expect_no_buffer_lost(shim);
}

TEST(FaultyNic, KeepsItsBuffersStraightWhenThePoolIsEmpty) {
  Shim shim({.duplicate = 1, .reorder = 1}, 0, MemoryNic::Options{.buffers = 8});
  for (int round = 0; round < 50; ++round) {
    for (unsigned i = 0; i < 8; ++i) shim.wrapped().inject(numbered(i));
    receive_all(shim);
  }
  EXPECT_GT(shim.received().reordered, 100U);
  expect_no_buffer_lost(shim);
}

TEST(FaultyNic, GivesLateAndWithheldBuffersBackAtItsEnd) {
  MemoryNic pool({.buffers = 64});
  {
    Shim shim({.reorder = 1, .withheld = 20}, 0, MemoryNic::Options{}, pool);
    EXPECT_EQ(shim.withheld(), 20U);
    EXPECT_EQ(pool.buffers_free(), 44U);
    ASSERT_TRUE(shim.wrapped().inject(numbered(1)));
    std::array<Packet, 4> packets;
    EXPECT_EQ(shim.rx_burst(packets), 0);
    EXPECT_EQ(pool.buffers_free(), 43U);
  }
  EXPECT_EQ(pool.buffers_free(), 64U);
  EXPECT_EQ(pool.free_errors(), 0U);
}

}  // namespace
}  // namespace mcplane::net
