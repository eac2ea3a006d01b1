// The clients of a run and their workload: N protocol engines, what each sends when, and the check of every answer.
// Sans-I/O: a shell (kernel sockets, a DPDK port, a test) brings datagrams and time and carries datagrams away, so the
// workload is the same over any of them. One thread.
//
//   connecting -> (begin) running -> (time is up, or stop) draining -> (all answered, or TTL + grace) done
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/prefetch.h"
#include "client/client_engine.h"
#include "loadgen/chunk_ledger.h"
#include "loadgen/engine_roll.h"
#include "loadgen/index_ring.h"
#include "loadgen/options.h"
#include "loadgen/pattern.h"
#include "loadgen/run_times.h"
#include "loadgen/tally.h"

namespace mcplane::loadgen {

// Sends a burst from one endpoint and clears the outbox. Called once a burst.
using Transmit = std::function<void(std::size_t endpoint, client::Outbox& burst)>;

// Engines are looked at this often; the schedule is kept to the nanosecond the shell can wake at.
inline constexpr std::uint64_t kTickNs = kNsPerMs;

class ClientFleet {
 public:
  // identity_seed: for instance ids and retry jitter. Unlike options.seed it must differ from run to run, or the broker
  // takes this run for the one before.
  ClientFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit, Progress& progress);

  // The shell's calls. on_burst_end() follows the on_datagram() calls of one receive burst.
  void on_datagram(std::size_t client, std::span<const std::byte> datagram, const wire::Endpoint& from,
                   std::uint64_t now_ns);
  void on_burst_end(std::size_t client, std::uint64_t now_ns);
  // Brings the client, then what its datagram needs, into the cache: with thousands of clients each is a miss.
  void prefetch(std::size_t client) const noexcept { prefetch_object(clients_[client]); }
  void prefetch(std::size_t client, std::span<const std::byte> datagram) const noexcept {
    clients_[client].engine.prefetch(datagram);
  }
  void on_time(std::uint64_t now_ns);
  std::uint64_t next_wake_ns() const noexcept;

  std::size_t registered() const noexcept { return roll_.registered(); }
  std::uint16_t frame_bytes_min() const noexcept;  // smallest granted to a registered client
  // No prompt is larger from here on.
  void bound_prompts(std::uint64_t prompt_bytes_max) noexcept { payloads_.bound(prompt_bytes_max); }
  // Starts a run, with counters at 0, now or at a time to come: the options', or one of that rate.
  void begin(std::uint64_t now_ns) { begin(now_ns, options_.profile()); }
  void begin(std::uint64_t now_ns, const RateProfile& profile);
  void stop(std::uint64_t now_ns);
  bool sending() const noexcept { return phase_ == Phase::kRunning; }
  bool done() const noexcept { return phase_ == Phase::kDone; }
  // What was counted since begin(): what is still in flight is lost. done().
  Tally take_tally();
  // Says BYE and ends the counting.
  const Tally& close(std::uint64_t now_ns);

 private:
  struct Client {
    client::ClientEngine engine;
    std::uint64_t backoff_until_ns = 0;  // closed loop: the broker asked for a pause
    bool offered = false;                // open loop: it is in ready_
  };
  struct InFlight {
    std::uint64_t number = 0;
    std::uint64_t due_ns = 0;
    std::uint32_t generation = 0;
    std::uint32_t received = 0;         // bytes of the answer's text, of an answer in parts
    bool busy = false, broken = false;  // broken: they were not its own
  };

  void tick(std::uint64_t now_ns);
  void advance_phase(std::uint64_t now_ns);
  void send_due(std::uint64_t now_ns);
  void skip_due(std::uint64_t now_ns);
  bool due(std::uint64_t now_ns) const noexcept { return !all_begun() && times_.due(now_ns); }
  void count_offered(std::uint64_t due_ns) noexcept { tally_.offered += due_ns >= times_.measure_from_ns() ? 1 : 0; }
  bool all_begun() const noexcept { return options_.tasks != 0 && next_number_ >= options_.tasks; }
  // Open loop: clients take turns with their free slots.
  void offer(std::uint32_t client) noexcept;
  std::optional<std::uint32_t> take_ready() noexcept;
  // Closed loop.
  void fill_some(std::uint64_t now_ns);
  void refill(std::uint32_t client, std::uint64_t now_ns);
  void use(std::uint32_t client, std::uint64_t now_ns, std::uint64_t not_before_ns);
  bool try_send(Client& client, std::uint64_t due_ns, std::uint64_t now_ns);
  void take_completions(Client& client, EndedBy ended_by, std::uint64_t now_ns);
  void take_piece(std::uint32_t index, std::span<const std::byte> payload, std::uint64_t now_ns);
  bool matches(const InFlight& task, std::span<const std::byte> payload) const noexcept;
  bool ends_well(std::uint32_t index, std::span<const std::byte> payload, std::uint64_t now_ns);
  void complete(Client& client, const client::Completion& completion, EndedBy ended_by, std::uint64_t now_ns);
  void measure(const client::Completion& completion, const InFlight& task, std::uint64_t now_ns);
  Client& take_outbox(std::size_t client);
  void flush();
  void publish(std::uint64_t now_ns);
  void end_interval(std::uint64_t now_ns);
  void end_counting();
  std::size_t in_flight() const noexcept { return tasks_.size() - free_.size(); }

  const Options options_;
  Transmit transmit_;
  Progress& progress_;
  PayloadWriter payloads_;
  const AnswerWriter answers_;
  std::optional<ChunkLedger> chunks_;  // of streamed answers, by index into tasks_
  const std::vector<std::byte> table_;
  std::vector<Client> clients_;
  EngineRoll roll_;
  IndexRing ready_;                  // clients that may have a free slot
  std::size_t filled_ = 0;           // clients whose window was filled since begin()
  std::vector<InFlight> tasks_;      // a completion's context names one by index and generation
  std::vector<std::uint32_t> free_;  // indexes into tasks_
  client::Outbox outbox_;
  std::size_t outbox_owner_ = 0;  // the client whose datagrams it holds
  std::vector<client::Completion> completions_;

  Phase phase_ = Phase::kConnecting;
  RunTimes times_;
  std::uint64_t drain_until_ns_ = 0, next_tick_ns_ = 0, next_publish_ns_ = 0, next_interval_ns_ = 0;
  std::uint64_t next_number_ = 0;
  Tally tally_;
  Histogram last_interval_;
  Interval interval_;  // the counters when it began
};

}  // namespace mcplane::loadgen
