// Both fleets on an in-memory port, the fake broker on the other end of the wire, and virtual time.
#pragma once

#include <optional>

#include "fake_world.h"
#include "loadgen/fleets.h"
#include "loadgen/port_shell.h"
#include "net/memory_nic.h"

namespace mcplane::loadgen {

class PortWorld {
 public:
  static constexpr std::uint64_t kStepNs = 10 * kNsPerUs;

  explicit PortWorld(const Options& options, const Faults& faults = {}, const net::MemoryNic::Options& nic = {});

  // One poll, and the broker's answers to what it sent.
  void step();
  void run_until_registered();
  const Tally& run();
  // A frame of the broker's host to UDP port `port` of ours.
  std::vector<std::byte> frame_to(std::uint16_t port, std::span<const std::byte> datagram) const;
  std::vector<std::byte> frame_to(const wire::Endpoint& to, std::span<const std::byte> datagram) const;
  void answer_questions(bool yes) noexcept { reachable_ = yes; }

  const Options options;
  std::uint64_t now_ns = FakeWorld::kStartNs;
  net::MemoryNic nic;
  Link link;
  Progress progress, surge_progress;

 private:
  struct Clock {
    const std::uint64_t* now_ns;
    std::uint64_t operator()() const noexcept { return *now_ns; }
  };
  void to_broker(std::span<const std::byte> frame);
  std::optional<ClientFleet> surge_of(const Options& given);

 public:
  PortShell<net::MemoryNic, Clock> shell;
  ClientFleet clients;
  std::optional<ClientFleet> surge;
  WorkerFleet workers;
  Fleets fleets;
  FakeBroker broker;
  std::size_t allocations_in_polls = 0;

 private:
  bool reachable_ = true;
};

}  // namespace mcplane::loadgen
