// Outgoing datagrams of a protocol engine: written in place by the engine, sent by its shell (sendmmsg, mbufs,
// or a simulated network). Fixed storage, no allocation after construction. A shell that sends from buffers of its own
// lends places in them, and what is written there is copied no more. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "wire/address.h"

namespace mcplane::client {

class Outbox {
 public:
  static constexpr std::size_t kDatagrams = 128;
  static constexpr std::size_t kDatagramBytesMax = 9'000;

  struct Entry {
    std::span<std::byte> datagram;  // starts 2 mod 4, as the header's alignment needs
    wire::Endpoint to;
    std::uint16_t sum = 0;  // wire::sum_bytes() of it, which its magic keeps from being 0; 0: nobody has summed it
  };

  Outbox();

  bool full() const noexcept { return count_ == kDatagrams; }
  // What the next datagram that comes brings about may not find room.
  bool nearly_full() const noexcept { return count_ + kRoomMin > kDatagrams; }
  bool empty() const noexcept { return count_ == 0; }
  // The place for the next datagram, the same until commit() or clear(). Not full(). It has room for a frame as large
  // as the engine may send.
  std::span<std::byte> reserve() noexcept;
  void commit(std::size_t length_bytes, const wire::Endpoint& to, std::uint16_t sum = 0) noexcept;
  std::span<const Entry> entries() const noexcept { return {entries_.get(), count_}; }
  void clear() noexcept;

  // A place for one datagram: starts 2 mod 4, and is the shell's again once it holds an entry that was cleared. While
  // there are any, datagrams go to places, in the order they were lent. At most kPlaces at a time.
  static constexpr std::size_t kPlaces = 64;
  void lend(std::span<std::byte> place) noexcept;
  std::size_t lent() const noexcept { return lent_; }

 private:
  static constexpr std::size_t kRoomMin = 8;

  const std::span<std::byte>& place(std::size_t ahead) const noexcept { return places_[(place_ + ahead) % kPlaces]; }
  void prefetch_place(std::size_t bytes) const noexcept;

  // Datagrams lie one behind the other: a burst of small ones stays in few cache lines.
  std::unique_ptr<std::byte[]> storage_;
  std::size_t tail_ = 0;  // bytes; where the next datagram starts, always 2 mod 4
  std::unique_ptr<Entry[]> entries_;
  std::size_t count_ = 0;
  std::array<std::span<std::byte>, kPlaces> places_;  // a ring: lent_ of them from place_ on
  std::size_t place_ = 0, lent_ = 0;
};

}  // namespace mcplane::client
