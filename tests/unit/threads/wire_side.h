// The wire between a broker on threads and protocol engines on the test's thread: datagrams to frames and back, each
// endpoint one UDP port of the same host. Every other frame arrives at a queue that is not its shard's.
#pragma once

#include <functional>

#include "base/random.h"
#include "broker_threads.h"
#include "client/outbox.h"

namespace mcplane::testing {

class WireSide {
 public:
  explicit WireSide(BrokerThreads& broker) : broker_(broker), stock_(broker.pool()) {}

  static wire::Endpoint address_of(std::uint16_t endpoint);

  // What an engine wrote, as frames. Waits for room.
  void send(std::uint16_t endpoint, client::Outbox& out);
  // Hands each datagram that came to its endpoint: on_datagram(endpoint, bytes, from). Returns how many.
  using OnDatagram = std::function<void(std::uint16_t, std::span<const std::byte>, const wire::Endpoint&)>;
  std::size_t receive(const OnDatagram& on_datagram);
  // Before the books are checked.
  void give_buffers_back() { stock_.flush(); }

  std::uint64_t injected() const noexcept { return injected_; }
  std::uint64_t taken() const noexcept { return taken_; }
  std::uint64_t unsound() const noexcept { return unsound_; }  // frames that do not parse

 private:
  BrokerThreads& broker_;
  BufferStock stock_;
  Random random_{5};
  std::uint64_t injected_ = 0, taken_ = 0, unsound_ = 0;
};

}  // namespace mcplane::testing
