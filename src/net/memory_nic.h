// A NIC without hardware or EAL: frames go in and out through two queues of fixed buffers.
// Tests, simulation and micro-benchmarks run the production core loop on it. One thread.
// Nothing the core loop calls allocates, and every buffer knows who holds it, so that a buffer freed
// twice, sent twice or used by the wrong owner is counted where it happens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "net/nic.h"

namespace mcplane::net {

class MemoryNic {
 public:
  struct Options {
    std::uint32_t buffers = 4096;
    std::uint16_t buffer_bytes = 2048 + kHeadroomBytes;
    PortId port{};
    // Frames tx_burst takes before it is full until take_sent() empties it; 0: no limit.
    std::uint32_t tx_capacity = 0;
  };

  MemoryNic() : MemoryNic(Options{}) {}
  explicit MemoryNic(const Options& options);
  // One more queue (or port) on the buffers of `sibling`, as DPDK queues share a pool: a packet received on one
  // may be sent or freed on the other. Takes the sibling's buffers and buffer_bytes.
  MemoryNic(const Options& options, const MemoryNic& sibling);
  MemoryNic(const MemoryNic&) = delete;
  MemoryNic& operator=(const MemoryNic&) = delete;

  // The NIC concept.
  std::uint16_t rx_burst(std::span<Packet> packets) noexcept;
  std::uint16_t tx_burst(std::span<Packet> packets) noexcept;
  bool allocate(std::span<Packet> packets) noexcept;
  void free(std::span<Packet> packets) noexcept;
  void share(const Packet& packet, std::uint16_t times) noexcept { pool_->share(packet, times); }
  static std::span<const std::byte> tail_of(const Packet& packet) noexcept;

  // The wire side. inject: copies a frame into a buffer and queues it for rx_burst; false when no buffer is free
  // or the frame is larger than a buffer.
  bool inject(std::span<const std::byte> frame);
  // Queues a packet that the caller already holds (no copy), as a benchmark's generator does.
  void inject(Packet packet);
  // The sent frames in order, each in one buffer, which stays the caller's until it gives it to free().
  std::vector<Packet> take_sent();
  // Same without allocating: fills the front of the span; returns how many.
  std::size_t take_sent(std::span<Packet> packets) noexcept;
  // Same, copied out and freed: what tests want.
  std::vector<std::vector<std::byte>> take_sent_bytes();

  // Frames that were injected and not received yet.
  std::size_t waiting() const noexcept { return to_receive_.size(); }
  std::uint32_t buffers_total() const noexcept { return pool_->total(); }
  std::uint32_t buffers_free() const noexcept { return pool_->free_count(); }
  // Buffers freed, sent or injected by someone who does not hold them, foreign ones too; a test fails when it is
  // not 0. Counts for all queues that share the buffers.
  std::uint32_t free_errors() const noexcept { return pool_->errors(); }

 private:
  enum class Holder : std::uint8_t { kPool, kCaller, kQueue };

  // Packet::buffer() points to one of these. 16 bytes, so that checking a handle is shifts.
  struct alignas(16) Buffer {
    std::byte* memory = nullptr;
    std::uint32_t shares = 0;       // besides its holder's
    std::uint16_t shared_from = 0;  // bytes before what is shared
    Holder holder = Holder::kPool;
  };

  class Pool {
   public:
    Pool(std::uint32_t buffers, std::uint16_t buffer_bytes);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // The next free buffer, held by `holder`; null when none is left.
    Buffer* take(Holder holder) noexcept;
    // Hands the caller's buffer over. False, and counted, when it is not the caller's or not of this pool.
    bool give_to_queue(void* handle) noexcept;
    // Of a buffer that is shared, the caller's share.
    bool give_back(void* handle) noexcept;
    void share(const Packet& packet, std::uint16_t times) noexcept;

    std::uint32_t total() const noexcept { return static_cast<std::uint32_t>(buffers_.size()); }
    std::uint32_t free_count() const noexcept { return static_cast<std::uint32_t>(free_.size()); }
    std::uint32_t errors() const noexcept { return errors_; }
    std::uint16_t buffer_bytes() const noexcept { return buffer_bytes_; }

   private:
    Buffer* find_held(void* handle) noexcept;

    struct AlignedDelete {
      void operator()(std::byte* memory) const noexcept;
    };
    std::uint16_t buffer_bytes_;
    std::size_t memory_bytes_;
    std::unique_ptr<std::byte[], AlignedDelete> memory_;
    std::vector<Buffer> buffers_;
    std::vector<Buffer*> free_;  // reserved for all of them
    std::uint32_t errors_ = 0;
  };

  // A FIFO with room for every buffer of the pool: it is never full.
  class PacketQueue {
   public:
    explicit PacketQueue(std::uint32_t capacity);
    void push(Packet packet) noexcept;
    Packet pop() noexcept;
    std::size_t size() const noexcept { return tail_ - head_; }

   private:
    std::vector<Packet> slots_;  // a power of two
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
  };

  MemoryNic(const Options& options, std::shared_ptr<Pool> pool);
  Packet make(Buffer& buffer, std::uint16_t length) const noexcept;
  // As a wire does: frames in two buffers become frames in one.
  void gather(Packet& packet) noexcept;

  Options options_;
  std::shared_ptr<Pool> pool_;
  PacketQueue to_receive_;
  PacketQueue sent_;
};

static_assert(Nic<MemoryNic>);

}  // namespace mcplane::net
