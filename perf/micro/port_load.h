// Both sides of the load generator on the in-memory NIC, and a broker that only turns frames round: SEND becomes ROUTE,
// RESULT becomes DELIVER, in the buffer they came in. What is timed is PortShell::poll() alone. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "fake_world.h"
#include "loadgen/fleets.h"
#include "loadgen/port_shell.h"
#include "net/memory_nic.h"

namespace mcplane::perf {

struct PortLoadOptions {
  std::uint32_t clients = 64, workers = 8;
  std::uint16_t window = 32;
  std::size_t payload_bytes = 256;
};

class PortLoad {
 public:
  explicit PortLoad(const PortLoadOptions& options);

  // A burst of DELIVERs through the clients, which send as many tasks, and a burst of ROUTEs through the workers. Adds
  // to the cycles below.
  void turn();
  // What does not add up; empty when nothing. Ends the run.
  std::string fault();

  struct Counts {
    std::uint64_t client_cycles = 0, worker_cycles = 0;  // time-stamp counter
    std::uint64_t answers = 0, routes = 0;               // tasks through the clients and through the workers
  };
  Counts counts;

 private:
  static constexpr std::size_t kBurst = 32;

  struct Clock {
    const std::uint64_t* now_ns;
    std::uint64_t operator()() const noexcept { return *now_ns; }
  };
  struct Task {
    std::uint32_t session = 0, sequence = 0;
    std::uint16_t slot = 0, port = 0;
  };
  struct Worker {
    std::uint32_t session = 0;
    std::uint32_t routes = 0;         // so many were made for it
    std::vector<std::uint32_t> owed;  // its RESULTs that no ROUTE has acknowledged
  };

  [[gnu::noinline]] std::uint64_t timed_poll();
  void collect();
  void turn_round(net::Packet packet);
  void reply(std::span<const std::byte> datagram, std::uint16_t port);
  std::size_t inject(std::deque<net::Packet>& packets);
  void seal(net::Packet& packet, std::uint16_t to_port, std::size_t datagram_bytes);

  std::uint64_t now_ns_ = 1'000'000'000;
  loadgen::Options options_;
  net::MemoryNic nic_;
  loadgen::Link link_;
  loadgen::PortShell<net::MemoryNic, Clock> shell_;
  loadgen::Progress progress_;
  loadgen::ClientFleet clients_;
  loadgen::WorkerFleet workers_;
  loadgen::Fleets fleets_;
  loadgen::FakeBroker broker_;
  std::vector<Worker> workers_there_;
  std::vector<Task> tasks_;
  std::vector<std::uint32_t> free_tasks_;
  std::vector<std::uint32_t> generations_;
  std::deque<net::Packet> routes_, delivers_;
  std::uint64_t routed_ = 0;
};

}  // namespace mcplane::perf
