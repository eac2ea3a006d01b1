// The appliance under test: production core loops on in-memory NICs and the production control thread's logic, each
// stepped when the world says so. Also the oracles that look into it: invariants 4, 5, 7, 10, 11 and 12.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "control/control.h"
#include "host.h"
#include "options.h"
#include "prober.h"
#include "support/shard_rig.h"

namespace mcplane::sim {

class Broker {
 public:
  // Control's: times its slots, what a worker may be sent ahead.
  static constexpr std::uint32_t kLookAheadMax = 1;

  // life: 0 for the first; each has its own boot id and secrets, and knows nothing of those before.
  Broker(const Options& options, std::uint32_t life, std::uint64_t now_ns);

  // A frame arrives at `port`. `flow`: any number that stays the same for a flow. Returns the core that will find it,
  // kNobody when no buffer was free.
  static constexpr std::uint32_t kNobody = 0xffffffffU;
  std::uint32_t inject(PortId port, std::uint16_t destination_port, std::uint32_t flow,
                       std::span<const std::byte> frame);
  // Loops of that core until it has read all that waits at the port.
  std::size_t loops_behind(std::uint32_t core, PortId port) {
    return (rig_.nic(core, raw(port)).waiting() / sizes_.burst + 1) * sizes_.ports;
  }
  // One loop. Returns whether it did anything.
  bool step(std::uint32_t core, std::uint64_t now_ns);
  // One poll of control. False when it ended a session of a port that is cut off, and that never said BYE.
  bool poll(std::uint64_t now_ns, const std::array<bool, 2>& cut_off);
  // Hands each frame that left by the core's queues: sink(port, bytes).
  template <class Sink>
  void take_sent(std::uint32_t core, Sink&& sink);

  // O(1), after a step of that core. Empty when all is well.
  std::string check_step(std::uint32_t core);
  // Everything against everything.
  std::string check_all() { return rig_.check_counters(); }
  // When nothing is under way: no task, no slot, no buffer is left behind.
  std::string check_empty();
  // Whether a ROUTE may leave to that session now.
  bool admits(SessionId worker);
  // After that ROUTE: empty when the breakers of its worker and action let it through, or take it for a probe.
  std::string check_gate(const wire::Header& route, std::uint64_t now_ns);
  // Whether a worker that serves that, and whose breaker is closed, has been there for long enough that cores know.
  bool somebody_in(const std::string& action, const std::string& model, std::uint64_t now_ns) const;
  // Answers of that kind.
  std::uint64_t degraded(wire::Substitute kind);
  // Whether some breaker is open.
  bool any_out() const;
  // Whether health probes say of some worker that it is down.
  bool any_down() const;
  // ROUTEs that check_gate() took for probes: of workers, and of single actions.
  std::uint64_t probes() const noexcept { return probes_; }
  std::uint64_t skill_probes() const noexcept { return skill_probes_; }
  // Whether control counts a session among the living; false for 0.
  bool lives(SessionId session) const;
  // Whether control counts it among the living, and for that instance.
  bool knows(SessionId session, const wire::Id16& instance) const;
  // No task in any state.
  bool idle();
  // Somebody else holds all buffers that are free, until release_buffers().
  void exhaust_buffers();
  void release_buffers();
  // Puts what is not right, by the harness's own doing.
  void sabotage(Sabotage what);

  control::Control& control() noexcept { return control_; }
  Prober& prober() noexcept { return prober_; }
  bool has_commands(std::uint32_t core) const { return rig_.shared.shards[core]->mailbox.to_shard.size() > 0; }
  // Frames that core left for others, ever.
  std::uint64_t passed_on(std::uint32_t core) {
    return rig_.counters(core).handed_off.read() + rig_.counters(core).relayed.read();
  }
  // Frames dropped for that reason, and frames that no NIC or relay ring took.
  std::uint64_t dropped(DropReason reason);
  std::uint64_t not_taken();
  // Tasks, by its books of that kind; and copies.
  std::uint64_t accepted(bool shadow);
  std::uint64_t copied();
  std::uint32_t boot_id() const noexcept { return rig_.shared.options.boot_id; }
  // Of a loop before, since a queue was full.
  bool keeps_frames(std::uint32_t core) noexcept { return rig_.shard(core).keeps_frames(); }
  bool relays() const noexcept { return sizes_.queues < sizes_.shards; }

  std::array<bool, 2> link_up{true, true};  // by PortId

 private:
  std::string check_skill(WorkerId worker, SkillId skill, std::uint64_t now_ns);
  std::uint64_t running_in_round(WorkerId worker, std::optional<SkillId> skill);

  const Sizes sizes_;
  testing::ShardRig rig_;
  Prober prober_;
  control::Control control_;
  std::uint64_t injected_ = 0, taken_ = 0, probes_ = 0, skill_probes_ = 0;
  std::size_t allocations_ = 0;             // on cores, after their first loop
  std::vector<bool> started_;               // by core
  std::vector<std::uint32_t> outstanding_;  // by worker line, at the last check
  std::array<net::Packet, 64> packets_;
  std::vector<net::Packet> withheld_;
  std::vector<SessionId> cut_off_;
};

template <class Sink>
void Broker::take_sent(std::uint32_t core, Sink&& sink) {
  for (std::uint32_t port = 0; port < sizes_.ports; ++port) {
    net::MemoryNic& nic = rig_.nic(core, port);
    while (const std::size_t count = nic.take_sent(packets_)) {
      const auto packets = std::span(packets_).first(count);
      for (const net::Packet& packet : packets) sink(PortId(static_cast<std::uint8_t>(port)), packet.bytes());
      nic.free(packets);
      taken_ += count;
    }
  }
}

}  // namespace mcplane::sim
