// An in-memory port with the fake broker on the other end of its wire, and virtual time; both fleets on it.
#pragma once

#include <optional>

#include "fake_world.h"
#include "loadgen/fleets.h"
#include "loadgen/port_shell.h"
#include "net/memory_nic.h"

namespace mcplane::loadgen {

class PortWire {
 public:
  static constexpr std::uint64_t kStepNs = 10 * kNsPerUs;
  struct Clock {
    const std::uint64_t* now_ns;
    std::uint64_t operator()() const noexcept { return *now_ns; }
  };

  explicit PortWire(const Options& options, const Faults& faults = {}, const net::MemoryNic::Options& nic = {});

  // Brings what was sent to the broker, and its answers back; time passes.
  void exchange();
  // A frame of the broker's host to UDP port `port` of ours.
  std::vector<std::byte> frame_to(std::uint16_t port, std::span<const std::byte> datagram) const;
  std::vector<std::byte> frame_to(const wire::Endpoint& to, std::span<const std::byte> datagram) const;
  void answer_questions(bool yes) noexcept { reachable_ = yes; }

  const Options options;
  std::uint64_t now_ns = FakeWorld::kStartNs;
  net::MemoryNic nic;
  Link link;
  Progress progress;
  FakeBroker broker;

 private:
  void to_broker(std::span<const std::byte> frame);

  bool reachable_ = true;
};

class PortWorld : public PortWire {
 public:
  explicit PortWorld(const Options& options, const Faults& faults = {}, const net::MemoryNic::Options& nic = {});

  // One poll, and the broker's answers to what it sent.
  void step();
  void run_until_registered();
  const Tally& run();

 private:
  std::optional<ClientFleet> surge_of(const Options& given);

 public:
  Progress surge_progress;
  PortShell<net::MemoryNic, Clock> shell;
  ClientFleet clients;
  std::optional<ClientFleet> surge;
  WorkerFleet workers;
  Fleets fleets;
  std::size_t allocations_in_polls = 0;
};

}  // namespace mcplane::loadgen
