// Both fleets on one thread behind one numbering, as a shell of one port sees them: endpoints [0, clients) are
// clients, those behind them workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loadgen/client_fleet.h"
#include "loadgen/worker_fleet.h"

namespace mcplane::loadgen {

class Fleets {
 public:
  Fleets(ClientFleet& clients, WorkerFleet& workers, std::size_t client_count) noexcept
      : clients_(clients), workers_(workers), client_count_(client_count) {}

  void on_datagram(std::size_t endpoint, std::span<const std::byte> datagram, const wire::Endpoint& from,
                   std::uint64_t now_ns) {
    if (endpoint < client_count_) return clients_.on_datagram(endpoint, datagram, from, now_ns);
    workers_.on_datagram(endpoint - client_count_, datagram, from, now_ns);
  }
  void on_burst_end(std::size_t endpoint, std::uint64_t now_ns) {
    if (endpoint < client_count_) return clients_.on_burst_end(endpoint, now_ns);
    workers_.on_burst_end(endpoint - client_count_, now_ns);
  }
  void prefetch(std::size_t endpoint) const noexcept {
    if (endpoint < client_count_) return clients_.prefetch(endpoint);
    workers_.prefetch(endpoint - client_count_);
  }
  void prefetch(std::size_t endpoint, std::span<const std::byte> datagram) const noexcept {
    if (endpoint < client_count_) return clients_.prefetch(endpoint, datagram);
    workers_.prefetch(endpoint - client_count_, datagram);
  }
  void on_time(std::uint64_t now_ns) {
    clients_.on_time(now_ns);
    workers_.on_time(now_ns);
  }

 private:
  ClientFleet& clients_;
  WorkerFleet& workers_;
  std::size_t client_count_;
};

}  // namespace mcplane::loadgen
