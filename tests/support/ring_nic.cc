// See ring_nic.h.
#include "support/ring_nic.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace mcplane::testing {

BufferPool::BufferPool(std::uint32_t buffers)
    : buffers_(buffers), memory_(new std::byte[(buffers + 1) * kBufferBytes]) {
  static_assert(kBufferBytes % kCacheLineBytes == 0);
  // Buffers start on a cache line, as DPDK's do.
  const std::size_t astray = reinterpret_cast<std::uintptr_t>(memory_.get()) % kCacheLineBytes;
  std::byte* next = memory_.get() + (kCacheLineBytes - astray) % kCacheLineBytes;
  for (Buffer& buffer : buffers_) {
    buffer.memory = next;
    next += kBufferBytes;
    free_.push_back(&buffer);
  }
}

std::size_t BufferPool::free_count() const {
  const std::lock_guard lock(mutex_);
  return free_.size();
}

bool BufferStock::allocate(std::span<net::Packet> packets, PortId port) noexcept {
  if (free_.size() < packets.size()) {
    const std::lock_guard lock(pool_.mutex_);
    const std::size_t count = std::min(std::max(packets.size(), kExchange), pool_.free_.size());
    free_.insert(free_.end(), pool_.free_.end() - static_cast<std::ptrdiff_t>(count), pool_.free_.end());
    pool_.free_.resize(pool_.free_.size() - count);
  }
  if (free_.size() < packets.size()) return false;
  for (net::Packet& packet : packets) {
    BufferPool::Buffer* buffer = free_.back();
    free_.pop_back();
    CHECK(!buffer->held);
    buffer->held = true;
    packet = net::Packet(buffer->memory + net::kHeadroomBytes, buffer, 0, net::kHeadroomBytes, port);
  }
  return true;
}

void BufferStock::free(std::span<net::Packet> packets) noexcept {
  for (const net::Packet& packet : packets) {
    if (packet.buffer() == nullptr) continue;
    if (packet.tail() != nullptr) free(packet.tail());
    free(packet.buffer());
  }
}

void BufferStock::free(void* handle) noexcept {
  auto* buffer = static_cast<BufferPool::Buffer*>(handle);
  // Release, and acquire: whoever ends the last share has all before it behind it.
  if (buffer->shares.load(std::memory_order_acquire) != 0 &&
      buffer->shares.fetch_sub(1, std::memory_order_acq_rel) != 0)
    return;
  buffer->shares.store(0, std::memory_order_relaxed);  // from below 0, where two ended theirs at once
  CHECK(buffer->held);
  buffer->held = false;
  if (free_.size() == kMax) give_back(kExchange);
  free_.push_back(buffer);
}

void BufferStock::give_back(std::size_t count) noexcept {
  const std::lock_guard lock(pool_.mutex_);
  pool_.free_.insert(pool_.free_.end(), free_.end() - static_cast<std::ptrdiff_t>(count), free_.end());
  free_.resize(free_.size() - count);
}

std::uint16_t RingNic::rx_burst(std::span<net::Packet> packets) noexcept {
  const auto count = static_cast<std::uint16_t>(to_core_.pop(packets));
  for (net::Packet& packet : packets.first(count)) packet.set_port(port_);
  return count;
}

std::uint16_t RingNic::tx_burst(std::span<net::Packet> packets) noexcept {
  return static_cast<std::uint16_t>(to_wire_.push(packets));
}

void RingNic::share(const net::Packet& packet, std::uint16_t times) noexcept {
  auto* buffer = static_cast<BufferPool::Buffer*>(packet.buffer());
  CHECK(buffer->held);
  const auto from = static_cast<std::size_t>(packet.data() - buffer->memory);
  if (buffer->shares.load(std::memory_order_acquire) == 0) buffer->shared_from = from;
  buffer->shares.fetch_add(times, std::memory_order_relaxed);
}

std::span<const std::byte> RingNic::tail_of(const net::Packet& packet) noexcept {
  if (packet.tail() == nullptr) return {};
  const auto& buffer = *static_cast<const BufferPool::Buffer*>(packet.tail());
  return {buffer.memory + buffer.shared_from, packet.tail_length()};
}

std::size_t RingNic::inject(std::span<net::Packet> packets) noexcept { return to_core_.push(packets); }

void RingNic::drain() noexcept {
  std::array<net::Packet, net::kBurstMax> packets;
  for (net::SpscRing<net::Packet>* ring : {&to_core_, &to_wire_})
    while (const std::size_t count = ring->pop(packets)) stock_.free(std::span(packets).first(count));
  stock_.flush();
}

}  // namespace mcplane::testing
