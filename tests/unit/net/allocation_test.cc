// No heap allocation on a dataplane core: what the core loop calls of the in-memory NIC keeps that too, or the
// check of the loop itself would have to exempt its NIC.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "net/faulty_nic.h"
#include "net/memory_nic.h"
#include "support/allocations.h"

namespace mcplane::net {
namespace {

TEST(MemoryNic, TheBurstCallsDoNotAllocate) {
  MemoryNic nic({.buffers = 64});
  const std::array<std::byte, 60> frame{};
  std::array<Packet, 32> packets;
  const std::size_t before = heap_allocations();
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 32; ++i) nic.inject(frame);
    nic.rx_burst(packets);
    nic.tx_burst(packets);
    nic.take_sent(packets);
    nic.free(packets);
    nic.allocate(packets);
    nic.free(packets);
  }
  EXPECT_EQ(heap_allocations() - before, 0U);
  EXPECT_EQ(nic.buffers_free(), 64U);
  EXPECT_EQ(nic.free_errors(), 0U);
}

TEST(FaultyNic, TheBurstCallsDoNotAllocate) {
  FaultyNic<MemoryNic> nic({.loss = 0.2, .duplicate = 0.2, .reorder = 0.2, .corrupt = 0.2}, 0,
                           MemoryNic::Options{.buffers = 256});
  const std::array<std::byte, 60> frame{};
  std::array<Packet, 32> packets;
  const std::size_t before = heap_allocations();
  for (int round = 0; round < 2'000; ++round) {
    nic.wrapped().inject(frame);
    const auto received = std::span(packets).first(nic.rx_burst(packets));
    EXPECT_EQ(nic.tx_burst(received), received.size());
    nic.free(std::span(packets).first(nic.wrapped().take_sent(packets)));
  }
  EXPECT_EQ(heap_allocations() - before, 0U);
  EXPECT_GT(nic.received().lost + nic.sent().duplicated, 0U);
}

TEST(HeapAllocations, AreCounted) {
  const std::size_t before = heap_allocations();
  const std::vector<int> numbers(100);
  EXPECT_EQ(heap_allocations() - before, numbers.size() / 100);
}

}  // namespace
}  // namespace mcplane::net
