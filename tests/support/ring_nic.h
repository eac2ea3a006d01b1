// A NIC for real threads without hardware or EAL: the core on one side, the wire on another thread, an SPSC ring each
// way, and one pool for all, as DPDK ports share one. Buffers wander between threads through per-thread stocks, so that
// what a lock costs is shared by a burst. One thread a side.
//
// A buffer's mark is plain memory that only its holder touches: a buffer used by two threads at once is a data race,
// which TSan reports, and one that is given back twice ends the program.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "net/nic.h"
#include "net/ring.h"

namespace mcplane::testing {

class BufferPool {
 public:
  static constexpr std::size_t kBufferBytes = 2'048 + net::kHeadroomBytes;

  explicit BufferPool(std::uint32_t buffers);

  std::size_t total() const noexcept { return buffers_.size(); }
  // Once every stock is gone or flushed, what is missing here is lost.
  std::size_t free_count() const;

 private:
  friend class BufferStock;
  friend class RingNic;
  struct alignas(kCacheLineBytes) Buffer {
    std::byte* memory = nullptr;
    bool held = false;                     // by a Packet
    std::atomic<std::uint32_t> shares{0};  // besides the first
    std::size_t shared_from = 0;           // bytes before what is shared
  };

  std::vector<Buffer> buffers_;
  std::unique_ptr<std::byte[]> memory_;
  mutable std::mutex mutex_;
  std::vector<Buffer*> free_;  // guarded by mutex_
};

// One thread's share of the pool.
class BufferStock {
 public:
  explicit BufferStock(BufferPool& pool) : pool_(pool) { free_.reserve(kMax); }
  ~BufferStock() { flush(); }
  BufferStock(const BufferStock&) = delete;
  BufferStock& operator=(const BufferStock&) = delete;

  bool allocate(std::span<net::Packet> packets, PortId port) noexcept;
  void free(std::span<net::Packet> packets) noexcept;
  // Everything back to the pool.
  void flush() noexcept { give_back(free_.size()); }

 private:
  static constexpr std::size_t kMax = 1'024, kExchange = 256;
  void free(void* handle) noexcept;
  void give_back(std::size_t count) noexcept;

  BufferPool& pool_;
  std::vector<BufferPool::Buffer*> free_;
};

class RingNic {
 public:
  // frames: capacity of each of the two rings.
  RingNic(BufferPool& pool, PortId port, std::size_t frames)
      : stock_(pool), port_(port), to_core_(frames), to_wire_(frames) {}

  // The NIC concept: the core's thread.
  std::uint16_t rx_burst(std::span<net::Packet> packets) noexcept;
  std::uint16_t tx_burst(std::span<net::Packet> packets) noexcept;
  bool allocate(std::span<net::Packet> packets) noexcept { return stock_.allocate(packets, port_); }
  void free(std::span<net::Packet> packets) noexcept { stock_.free(packets); }
  void share(const net::Packet& packet, std::uint16_t times) noexcept;
  static std::span<const std::byte> tail_of(const net::Packet& packet) noexcept;

  // The wire's thread, with a stock of its own. Returns how many were taken, from the front.
  std::size_t inject(std::span<net::Packet> packets) noexcept;
  std::size_t take_sent(std::span<net::Packet> packets) noexcept { return to_wire_.pop(packets); }

  // After both threads have ended: every buffer back to the pool.
  void drain() noexcept;

 private:
  BufferStock stock_;
  PortId port_;
  net::SpscRing<net::Packet> to_core_, to_wire_;
};

static_assert(net::Nic<RingNic>);

}  // namespace mcplane::testing
