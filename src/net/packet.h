// A received or to-be-sent frame as stations see it: a plain descriptor of bytes that live in a NIC's
// buffer, or of a frame to be sent in two: a beginning of its own, and a tail that several frames share.
// Owner: whoever holds the Packet. It is move-only in spirit and cheap to move (32 bytes); a burst
// is freed as a burst through its NIC, never one by one, so the destructor does nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "base/types.h"

namespace mcplane::net {

// What a Packet is made of. Copied whole, not field by field: one load, one store.
struct PacketFields {
  std::byte* data_ = nullptr;
  void* buffer_ = nullptr;
  void* tail_ = nullptr;
  std::uint16_t length_ = 0;
  std::uint16_t headroom_ = 0;
  std::uint16_t tail_length_ = 0;
  PortId port_{};
  std::uint8_t flags_ = 0;

  void copy_whole(const PacketFields& other) noexcept {
    std::array<std::byte, 32> whole;
    std::memcpy(whole.data(), &other, sizeof other);
    std::memcpy(static_cast<void*>(this), whole.data(), sizeof *this);
  }
};

class Packet : PacketFields {
 public:
  Packet() = default;
  Packet(std::byte* data, void* buffer, std::uint16_t length, std::uint16_t headroom, PortId port) noexcept {
    become(data, buffer, length, headroom, port);
  }
  Packet(Packet&& other) noexcept { copy_whole(other); }
  Packet& operator=(Packet&& other) noexcept {
    copy_whole(other);
    return *this;
  }
  Packet(const Packet&) = delete;
  Packet& operator=(const Packet&) = delete;

  // Made anew where it is: a copy of one just made field by field would wait for its small stores.
  void become(std::byte* data, void* buffer, std::uint16_t length, std::uint16_t headroom, PortId port) noexcept {
    data_ = data;
    buffer_ = buffer;
    tail_ = nullptr;
    length_ = length;
    headroom_ = headroom;
    tail_length_ = 0;
    port_ = port;
    flags_ = 0;
  }

  std::byte* data() const noexcept { return data_; }
  std::uint16_t length() const noexcept { return length_; }
  // Bytes free before data(), for a longer header.
  std::uint16_t headroom() const noexcept { return headroom_; }
  PortId port() const noexcept { return port_; }
  // The NIC's own handle (a DPDK mbuf, or a MemoryNic buffer); null in a default-made Packet.
  void* buffer() const noexcept { return buffer_; }
  std::span<std::byte> bytes() const noexcept { return {data_, length_}; }

  // The NIC verified the UDP checksum of this frame.
  bool checksum_good() const noexcept { return (flags_ & kChecksumGood) != 0; }
  // The NIC found a checksum wrong.
  bool checksum_bad() const noexcept { return (flags_ & kChecksumBad) != 0; }
  // The frame spans several buffers; data() shows the first only.
  bool chained() const noexcept { return (flags_ & kChained) != 0; }
  // Neither of these.
  bool plain() const noexcept { return (flags_ & (kChained | kChecksumBad)) == 0; }
  // The NIC's handle of the buffer with the rest of a frame to be sent; null: bytes() are all of it.
  void* tail() const noexcept { return tail_; }
  std::uint16_t tail_length() const noexcept { return tail_length_; }
  // Of bytes() and the tail.
  std::uint16_t frame_length() const noexcept { return static_cast<std::uint16_t>(length_ + tail_length_); }
  void set_checksum_good() noexcept { flags_ |= kChecksumGood; }
  void set_checksum_bad() noexcept { flags_ |= kChecksumBad; }
  void set_chained() noexcept { flags_ |= kChained; }
  void forget_checksum() noexcept { flags_ &= kChained; }
  // All of `shared` follows bytes(). It takes a share of that buffer, which the NIC is told of (Nic::share).
  void set_tail(const Packet& shared) noexcept {
    tail_ = shared.buffer_;
    tail_length_ = shared.length_;
  }
  void clear_tail() noexcept {
    tail_ = nullptr;
    tail_length_ = 0;
  }

  // Moves the start of the frame by `delta` bytes: negative grows into the headroom, positive cuts.
  // Needs -delta <= headroom() and delta <= length().
  void move_start(int delta) noexcept { place(delta, static_cast<std::uint16_t>(length_ - delta)); }
  void set_length(std::uint16_t length_bytes) noexcept { length_ = length_bytes; }
  // Both at once: the start moves, and the frame is so long from there.
  void place(int delta, std::uint16_t length_bytes) noexcept {
    data_ += delta;
    headroom_ = static_cast<std::uint16_t>(headroom_ + delta);
    length_ = length_bytes;
  }
  void set_port(PortId port) noexcept { port_ = port; }
  // Hands the buffer over: this Packet has none any more.
  Packet take() noexcept {
    Packet taken = std::move(*this);
    buffer_ = nullptr;
    return taken;
  }
  void give_to(Packet& other) noexcept {
    other = std::move(*this);
    buffer_ = nullptr;
  }

 private:
  static constexpr std::uint8_t kChecksumGood = 1, kChecksumBad = 2, kChained = 4;
};

static_assert(sizeof(Packet) == 32 && std::is_trivially_copyable_v<PacketFields>);

}  // namespace mcplane::net
