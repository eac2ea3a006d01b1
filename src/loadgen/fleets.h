// All fleets on one thread behind one numbering, as a shell of one port sees them: endpoints [0, clients) are clients,
// those behind them the surge's, if there is one, and the rest workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loadgen/client_fleet.h"
#include "loadgen/worker_fleet.h"

namespace mcplane::loadgen {

class Fleets {
 public:
  Fleets(ClientFleet& clients, WorkerFleet& workers, std::size_t client_count, ClientFleet* surge = nullptr,
         std::size_t surge_count = 0) noexcept
      : clients_(clients),
        surge_(surge),
        workers_(workers),
        client_count_(client_count),
        surge_end_(client_count + surge_count) {}

  void on_datagram(std::size_t endpoint, std::span<const std::byte> datagram, const wire::Endpoint& from,
                   std::uint64_t now_ns) {
    visit(endpoint, [&](auto& fleet, std::size_t index) { fleet.on_datagram(index, datagram, from, now_ns); });
  }
  void on_burst_end(std::size_t endpoint, std::uint64_t now_ns) {
    visit(endpoint, [&](auto& fleet, std::size_t index) { fleet.on_burst_end(index, now_ns); });
  }
  void prefetch(std::size_t endpoint) const noexcept {
    visit(endpoint, [](const auto& fleet, std::size_t index) { fleet.prefetch(index); });
  }
  void prefetch(std::size_t endpoint, std::span<const std::byte> datagram) const noexcept {
    visit(endpoint, [&](const auto& fleet, std::size_t index) { fleet.prefetch(index, datagram); });
  }
  void on_time(std::uint64_t now_ns) {
    clients_.on_time(now_ns);
    if (surge_ != nullptr) surge_->on_time(now_ns);
    workers_.on_time(now_ns);
  }

 private:
  template <class Do>
  void visit(std::size_t endpoint, Do act) const {
    if (endpoint < client_count_) return act(clients_, endpoint);
    if (endpoint < surge_end_) return act(*surge_, endpoint - client_count_);
    act(workers_, endpoint - surge_end_);
  }

  ClientFleet& clients_;
  ClientFleet* surge_;
  WorkerFleet& workers_;
  std::size_t client_count_, surge_end_;
};

}  // namespace mcplane::loadgen
