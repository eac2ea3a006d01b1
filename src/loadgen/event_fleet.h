// Publishers and subscribers of a run of events: the protocol engines of both, what is published when, and the check of
// every delivery. Sans-I/O as ClientFleet is, and driven by the same shells: endpoints [0, clients) publish, those
// behind them subscribe to one topic each. One thread.
//
//   connecting -> (begin) running -> (time is up, or stop) draining -> (all delivered, or given up) done
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "client/client_engine.h"
#include "loadgen/client_fleet.h"
#include "loadgen/engine_roll.h"
#include "loadgen/event_ledger.h"
#include "loadgen/options.h"
#include "loadgen/run_times.h"
#include "loadgen/tally.h"

namespace mcplane::loadgen {

class EventFleet {
 public:
  // identity_seed: as of ClientFleet; it also sets this run's topics apart from those of others.
  EventFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit, Progress& progress);

  // The shell's calls, as of ClientFleet.
  void on_datagram(std::size_t endpoint, std::span<const std::byte> datagram, const wire::Endpoint& from,
                   std::uint64_t now_ns);
  void on_burst_end(std::size_t endpoint, std::uint64_t now_ns);
  void prefetch(std::size_t endpoint) const noexcept { prefetch_object(endpoints_[endpoint]); }
  void prefetch(std::size_t endpoint, std::span<const std::byte>) const noexcept {
    if (const auto* const events = endpoints_[endpoint].engine.events()) prefetch_object(*events);
  }
  void on_time(std::uint64_t now_ns);
  std::uint64_t next_wake_ns() const noexcept;

  std::size_t registered() const noexcept { return roll_.registered(); }
  std::size_t subscribed() const noexcept { return subscribed_; }
  // Why the broker last refused a subscription; Ok when it never did.
  wire::Reason refusal() const noexcept { return refusal_; }
  std::uint16_t frame_bytes_min() const noexcept;  // smallest granted to a registered endpoint

  void begin(std::uint64_t now_ns);
  void stop(std::uint64_t now_ns);
  bool sending() const noexcept { return phase_ == Phase::kRunning; }
  bool done() const noexcept { return phase_ == Phase::kDone; }
  // Says BYE and ends the counting.
  const EventTally& close(std::uint64_t now_ns);

 private:
  struct Endpoint {
    client::ClientEngine engine;
    bool subscribed = false;
  };

  bool subscribes(std::size_t endpoint) const noexcept { return endpoint >= options_.clients; }
  void start(std::uint32_t endpoint, std::uint64_t now_ns);
  // Whether the last datagram was an event.
  bool take_event(Endpoint& receiver, std::size_t endpoint, std::uint64_t now_ns);
  void tick(std::uint64_t now_ns);
  void advance_phase(std::uint64_t now_ns);
  bool due(std::uint64_t now_ns) const noexcept;
  void publish_due(std::uint64_t now_ns);
  bool try_publish(Endpoint& publisher, std::uint64_t now_ns);
  void skip_due(std::uint64_t now_ns);
  bool all_begun() const noexcept { return options_.tasks != 0 && begun_ >= options_.tasks; }
  Endpoint& take_outbox(std::size_t endpoint);
  void flush();
  void publish_progress(std::uint64_t now_ns);

  const Options options_;
  Transmit transmit_;
  Progress& progress_;
  EventLedger ledger_;
  std::vector<std::vector<std::byte>> publications_;  // tables, by topic
  std::vector<Endpoint> endpoints_;
  EngineRoll roll_;
  std::size_t subscribed_ = 0;
  wire::Reason refusal_ = wire::Reason::Ok;
  std::size_t next_publisher_ = 0;
  std::uint64_t begun_ = 0;  // published or skipped
  client::Outbox outbox_;
  std::size_t outbox_owner_ = 0;  // the endpoint whose datagrams it holds
  std::vector<client::Completion> completions_;

  Phase phase_ = Phase::kConnecting;
  RunTimes times_;
  std::uint64_t next_tick_ns_ = 0, next_progress_ns_ = 0;
};

}  // namespace mcplane::loadgen
