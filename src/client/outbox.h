// Outgoing datagrams of a protocol engine: written in place by the engine, sent by its shell (sendmmsg, mbufs,
// or a simulated network). Fixed storage, no allocation after construction. One thread.
#pragma once

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
  };

  Outbox();

  bool full() const noexcept { return count_ == kDatagrams; }
  bool empty() const noexcept { return count_ == 0; }
  // A zero-length-to-max place for the next datagram; valid until commit() or clear(). Not full().
  std::span<std::byte> reserve() noexcept;
  void commit(std::size_t length_bytes, const wire::Endpoint& to) noexcept;
  std::span<const Entry> entries() const noexcept { return {entries_.get(), count_}; }
  void clear() noexcept;

 private:
  // Datagrams lie one behind the other: a burst of small ones stays in few cache lines.
  std::unique_ptr<std::byte[]> storage_;
  std::size_t tail_ = 0;  // bytes; where the next datagram starts, always 2 mod 4
  std::unique_ptr<Entry[]> entries_;
  std::size_t count_ = 0;
};

}  // namespace mcplane::client
