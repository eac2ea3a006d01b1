// The in-memory NIC: who holds which buffer after each call, and that it tells when someone breaks the rules.
#include "net/memory_nic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mcplane::net {
namespace {

std::vector<std::byte> frame_of(std::size_t bytes, unsigned first) {
  std::vector<std::byte> frame(bytes);
  for (std::size_t i = 0; i < bytes; ++i) frame[i] = static_cast<std::byte>(first + i);
  return frame;
}

std::vector<std::byte> copy(const Packet& packet) { return {packet.bytes().begin(), packet.bytes().end()}; }

TEST(MemoryNic, ReceivesInjectedFramesInOrder) {
  MemoryNic nic({.buffers = 8, .port = PortId{3}});
  for (unsigned i = 0; i < 5; ++i) ASSERT_TRUE(nic.inject(frame_of(60 + i, i)));
  EXPECT_EQ(nic.buffers_free(), 3U);

  std::array<Packet, 4> packets;
  ASSERT_EQ(nic.rx_burst(packets), 4);
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(copy(packets[i]), frame_of(60 + i, i));
    EXPECT_EQ(packets[i].port(), PortId{3});
    EXPECT_FALSE(packets[i].chained() || packets[i].checksum_good() || packets[i].checksum_bad());
  }
  nic.free(packets);
  ASSERT_EQ(nic.rx_burst(packets), 1);
  EXPECT_EQ(copy(packets[0]), frame_of(64, 4));
  nic.free(std::span(packets).first(1));
  EXPECT_EQ(nic.rx_burst(packets), 0);
  EXPECT_EQ(nic.buffers_free(), 8U);
  EXPECT_EQ(nic.free_errors(), 0U);
}

TEST(MemoryNic, FramesStartOnACacheLineBehindTheHeadroom) {
  MemoryNic nic({.buffers = 16, .buffer_bytes = 1000});
  std::vector<Packet> packets(16);
  ASSERT_TRUE(nic.allocate(packets));
  for (Packet& packet : packets) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(packet.data()) % 64, 0U);
    EXPECT_EQ(packet.headroom(), kHeadroomBytes);
    EXPECT_EQ(packet.length(), 0);
    packet.set_length(1000 - kHeadroomBytes);
    packet.move_start(-kHeadroomBytes);
    std::ranges::fill(packet.bytes(), std::byte{static_cast<unsigned char>(&packet - packets.data())});
  }
  // Whole buffers were written: none overlaps another.
  for (Packet& packet : packets)
    EXPECT_TRUE(std::ranges::all_of(packet.bytes(), [&](std::byte b) {
      return b == std::byte{static_cast<unsigned char>(&packet - packets.data())};
    }));
  nic.free(packets);
  EXPECT_EQ(nic.buffers_free(), 16U);
}

TEST(MemoryNic, AllocatesAllOrNothing) {
  MemoryNic nic({.buffers = 4});
  std::array<Packet, 3> three;
  std::array<Packet, 2> two;
  ASSERT_TRUE(nic.allocate(three));
  EXPECT_FALSE(nic.allocate(two));
  EXPECT_EQ(two[0].buffer(), nullptr);
  EXPECT_EQ(nic.buffers_free(), 1U);
  EXPECT_TRUE(nic.inject(frame_of(60, 0)));
  EXPECT_FALSE(nic.inject(frame_of(60, 0)));
  nic.free(three);
  EXPECT_TRUE(nic.inject(frame_of(60, 0)));
}

TEST(MemoryNic, RefusesAFrameLargerThanABuffer) {
  MemoryNic nic({.buffers = 2, .buffer_bytes = 1000});
  EXPECT_FALSE(nic.inject(frame_of(1000 - kHeadroomBytes + 1, 0)));
  EXPECT_EQ(nic.buffers_free(), 2U);
  EXPECT_TRUE(nic.inject(frame_of(1000 - kHeadroomBytes, 0)));
}

TEST(MemoryNic, TransmitsWhatTheDescriptorSays) {
  MemoryNic nic;
  ASSERT_TRUE(nic.inject(frame_of(60, 0)));
  std::array<Packet, 1> packets;
  ASSERT_EQ(nic.rx_burst(packets), 1);
  packets[0].move_start(-4);
  packets[0].set_length(20);
  std::ranges::fill(packets[0].bytes().first(4), std::byte{0xee});
  ASSERT_EQ(nic.tx_burst(packets), 1);

  const auto sent = nic.take_sent_bytes();
  ASSERT_EQ(sent.size(), 1U);
  auto expected = frame_of(16, 0);
  expected.insert(expected.begin(), 4, std::byte{0xee});
  EXPECT_EQ(sent[0], expected);
  EXPECT_EQ(nic.buffers_free(), nic.buffers_total());
  EXPECT_TRUE(nic.take_sent_bytes().empty());
}

TEST(MemoryNic, ASentBufferIsTheTakersUntilFreed) {
  MemoryNic nic({.buffers = 4});
  std::array<Packet, 2> packets;
  ASSERT_TRUE(nic.allocate(packets));
  ASSERT_EQ(nic.tx_burst(packets), 2);
  std::vector<Packet> sent = nic.take_sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(nic.buffers_free(), 2U);
  nic.free(sent);
  EXPECT_EQ(nic.buffers_free(), 4U);
  EXPECT_EQ(nic.free_errors(), 0U);
}

TEST(MemoryNic, TransmitStopsAtItsCapacity) {
  MemoryNic nic({.buffers = 8, .tx_capacity = 3});
  std::array<Packet, 5> packets;
  ASSERT_TRUE(nic.allocate(packets));
  EXPECT_EQ(nic.tx_burst(packets), 3);
  EXPECT_EQ(nic.tx_burst(std::span(packets).subspan(3)), 0);
  std::array<Packet, 2> some;
  EXPECT_EQ(nic.take_sent(some), 2U);
  EXPECT_EQ(nic.tx_burst(std::span(packets).subspan(3)), 2);
  EXPECT_EQ(nic.take_sent_bytes().size(), 3U);
  nic.free(some);
  EXPECT_EQ(nic.buffers_free(), 8U);
  EXPECT_EQ(nic.free_errors(), 0U);
}

TEST(MemoryNic, CountsADoubleFree) {
  MemoryNic nic({.buffers = 4});
  std::array<Packet, 2> packets;
  ASSERT_TRUE(nic.allocate(packets));
  nic.free(packets);
  nic.free(std::span(packets).first(1));
  EXPECT_EQ(nic.free_errors(), 1U);
  EXPECT_EQ(nic.buffers_free(), 4U);
}

TEST(MemoryNic, CountsForeignAndInventedBuffers) {
  MemoryNic nic({.buffers = 4}), other({.buffers = 4});
  std::array<Packet, 1> packets;
  ASSERT_TRUE(other.allocate(packets));
  nic.free(packets);
  EXPECT_EQ(nic.free_errors(), 1U);
  std::uint64_t local = 0;
  std::array<Packet, 1> invented = {Packet(nullptr, &local, 60, 0, PortId{})};
  nic.free(invented);
  EXPECT_EQ(nic.free_errors(), 2U);
  other.free(packets);
  EXPECT_EQ(other.free_errors(), 0U);
  std::array<Packet, 3> none;
  nic.free(none);
  EXPECT_EQ(nic.free_errors(), 2U);
}

TEST(MemoryNic, CountsABufferSentTwiceOrFreedWhileSent) {
  MemoryNic nic({.buffers = 4});
  std::array<Packet, 1> packets;
  ASSERT_TRUE(nic.allocate(packets));
  std::array<Packet, 1> again = {Packet(packets[0].data(), packets[0].buffer(), 0, kHeadroomBytes, PortId{})};
  EXPECT_EQ(nic.tx_burst(packets), 1);
  EXPECT_EQ(nic.tx_burst(again), 1);
  EXPECT_EQ(nic.free_errors(), 1U);
  nic.free(again);
  EXPECT_EQ(nic.free_errors(), 2U);
  EXPECT_EQ(nic.take_sent_bytes().size(), 1U);
  EXPECT_EQ(nic.buffers_free(), 4U);
}

TEST(MemoryNic, InjectsAHeldPacketWithoutACopy) {
  MemoryNic nic({.buffers = 2, .port = PortId{1}});
  std::array<Packet, 1> packets;
  ASSERT_TRUE(nic.allocate(packets));
  std::byte* const data = packets[0].data();
  packets[0].set_length(60);
  nic.inject(std::move(packets[0]));
  std::array<Packet, 2> received;
  ASSERT_EQ(nic.rx_burst(received), 1);
  EXPECT_EQ(received[0].data(), data);
  EXPECT_EQ(received[0].length(), 60);
  nic.free(std::span(received).first(1));
  EXPECT_EQ(nic.free_errors(), 0U);
}

// An allocated packet with frame_of()'s bytes.
Packet filled(MemoryNic& nic, std::size_t length, unsigned seed) {
  Packet packet;
  EXPECT_TRUE(nic.allocate({&packet, 1}));
  packet.set_length(static_cast<std::uint16_t>(length));
  std::ranges::copy(frame_of(length, seed), packet.data());
  return packet;
}

TEST(MemoryNic, FramesShareATail) {
  MemoryNic nic({.buffers = 4});
  Packet tail = filled(nic, 100, 7);
  std::vector<Packet> heads;
  for (unsigned i = 0; i < 3; ++i) {
    heads.push_back(filled(nic, 20, i));
    heads.back().set_tail(tail);
    EXPECT_EQ(heads.back().frame_length(), 120);
  }
  nic.share(tail, 3);
  EXPECT_EQ(nic.buffers_free(), 0U);
  nic.free({&tail, 1});
  EXPECT_EQ(nic.buffers_free(), 0U) << "three have it";
  ASSERT_EQ(nic.tx_burst(std::span(heads).first(2)), 2);
  nic.free(std::span(heads).subspan(2));
  EXPECT_EQ(nic.buffers_free(), 1U) << "its own only";
  const auto sent = nic.take_sent_bytes();
  ASSERT_EQ(sent.size(), 2U);
  for (unsigned i = 0; i < 2; ++i) {
    auto whole = frame_of(20, i);
    std::ranges::copy(frame_of(100, 7), std::back_inserter(whole));
    EXPECT_EQ(sent[i], whole);
  }
  EXPECT_EQ(nic.buffers_free(), 4U);
  EXPECT_EQ(nic.free_errors(), 0U);
}

TEST(MemoryNic, CountsAShareThatNobodyTold) {
  MemoryNic nic({.buffers = 4});
  Packet tail = filled(nic, 100, 7), head = filled(nic, 20, 1);
  head.set_tail(tail);
  nic.free({&head, 1});
  EXPECT_EQ(nic.free_errors(), 0U);
  nic.free({&tail, 1});
  EXPECT_EQ(nic.free_errors(), 1U);
}

TEST(MemoryNic, SiblingQueuesShareBuffers) {
  MemoryNic first({.buffers = 4, .port = PortId{0}});
  MemoryNic second({.port = PortId{1}}, first);
  ASSERT_TRUE(first.inject(frame_of(60, 9)));
  std::array<Packet, 1> packets;
  EXPECT_EQ(second.rx_burst(packets), 0);
  ASSERT_EQ(first.rx_burst(packets), 1);
  ASSERT_EQ(second.tx_burst(packets), 1);
  EXPECT_TRUE(first.take_sent().empty());
  EXPECT_EQ(second.buffers_free(), 3U);
  const auto sent = second.take_sent_bytes();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0], frame_of(60, 9));
  EXPECT_EQ(first.buffers_free(), 4U);
  EXPECT_EQ(first.free_errors(), 0U);
}

}  // namespace
}  // namespace mcplane::net
