// The control thread's logic: registration, leases, publication of routes, neighbour answers, and requests from the
// admin socket. Sans thread: poll() is one step, time is an argument, cores are reached by rings only.
// One thread calls everything but post().
//
// control.cc: the step.  registration.cc: HELLO and BYE.  leases.cc: who stays, who goes, what routes exist.
// suspecting.cc: workers that their hosts say are gone.
// adjacency.cc: links, and neighbours' questions and answers.  breaking.cc: breakers, and the gates of workers;
// breaking_actions.cc: of single actions.  probing.cc: health probes.  subscribing.cc: who gets which events.
// autoscaling.cc: how many workers there should be.
// tracing.cc: tasks that are traced.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "control/config/history.h"
#include "control/config/options.h"
#include "control/cores/captures.h"
#include "control/cores/command_queue.h"
#include "control/cores/inquiries.h"
#include "control/cores/loads.h"
#include "control/log.h"
#include "control/peers/ack_pace.h"
#include "control/peers/heartbeat_pace.h"
#include "control/peers/lease_clock.h"
#include "control/peers/links.h"
#include "control/peers/neighbours.h"
#include "control/peers/registry.h"
#include "control/peers/subscriptions.h"
#include "control/workers/breakers.h"
#include "control/workers/degradations.h"
#include "control/workers/pools.h"
#include "control/workers/prober.h"
#include "control/workers/probes.h"
#include "state/shared.h"
#include "wire/unreachable.h"

namespace mcplane::control {

class Control {
 public:
  static constexpr std::uint64_t kPublishIntervalNs = 5 * kNsPerMs;
  // Leases are judged that often, if there are no more sessions than a poll looks at; else as soon as all were.
  static constexpr std::uint64_t kSweepIntervalNs = 5 * kNsPerMs;
  static constexpr std::size_t kSweptPerPoll = 4'096;
  // Each worker's bound is looked at that often.
  static constexpr std::uint64_t kPaceIntervalNs = 50 * kNsPerMs;
  static constexpr std::uint32_t kMissedHeartbeats = 3;
  // How many workers each pool should have is reckoned that often; whoever asks gets it as of then and now.
  static constexpr std::uint64_t kAutoscaleIntervalNs = 5 * kNsPerSecond;
  static constexpr std::size_t kRequestsMax = 64;
  // Snapshots that a core may still read. Beyond it publication waits: eviction acts through the worker lines.
  static constexpr std::size_t kRetiredMax = 256;
  // Half a millisecond's.
  static constexpr std::size_t kOrderStepsPerPoll = 32'768;
  // Who is suspected beyond it is judged by heartbeats alone.
  static constexpr std::size_t kSuspectsMax = 1'024;
  // Questions for workers' health begun, at most.
  static constexpr std::size_t kProbesPerPoll = 64;
  // Subscriptions are published at most so often, times their number: making their tree is a small part of that.
  static constexpr std::uint64_t kTopicIntervalNs = 2 * kNsPerUs;

  // `shared` outlives it. ports: what each port of the appliance answers to, by PortId.
  Control(state::Shared& shared, ControlOptions options, std::vector<wire::LocalAddresses> ports, Random random);

  // One step, bounded; now_ns never goes back. Its clock need not be the shards'. Whether a core had work since the
  // step before: if none had, it has told nothing either, and the next step may come later.
  bool poll(std::uint64_t now_ns);

  // Any thread. Runs at the end of the next poll(), so it sees one consistent state. False when kRequestsMax wait.
  bool post(std::function<void()> request);

  // No new tasks, no new sessions, until resume().
  void drain() { set_draining(true); }
  void resume() { set_draining(false); }

  // From the next outcome on. Disabled: those that are not held open close.
  void set_breaker(const BreakerSettings& settings);
  // Of the worker, or of that action of its. What stands against it; "": it is done.
  std::string force_breaker(SessionId worker, BreakerMode mode, std::string_view action = {});
  // Over the setting until nullopt takes it back. False when nothing stands in for a route of that name.
  bool force_degradation(const std::string& route, std::optional<DegradeWhen> when);
  // Asks the cores again how many tasks wait for which pool.
  void count_waiting();
  // Listens to what cores would tell only with the next failure, so that reports have it.
  void hear_all();

  // On: cores begin to measure loops, afresh (reports/perf_report.h). Off: they stop, and what they measured can still
  // be read.
  void measure(bool on);

  // What only cores know. done: on the control thread, later. False when too many wait.
  bool inquire(const Inquiry& inquiry, Inquiries::Done done) { return inquiries_.ask(inquiry, std::move(done)); }
  // Cores copy frames from now on. Null when they do so for somebody already.
  std::shared_ptr<CaptureFile> capture(const CaptureOrder& order) { return captures_.begin(order, shared_, now_ns_); }

  // What people set, and how it came to be. Whatever is applied to the history is served from the end of this poll on.
  ConfigHistory& config() noexcept { return config_; }
  const ConfigHistory& config() const noexcept { return config_; }
  // Applies them for good, without a text.
  void apply(std::shared_ptr<const Settings> settings);
  // Never null. Replaced as a whole, together with the generation's number, which only grows.
  const std::shared_ptr<const Settings>& settings() const noexcept { return settings_; }
  std::uint64_t config_generation() const noexcept { return config_generation_; }

  // For reports.
  const state::Shared& shared() const noexcept { return shared_; }
  const ControlOptions& options() const noexcept { return options_; }
  const std::vector<wire::LocalAddresses>& ports() const noexcept { return ports_; }
  const Registry& registry() const noexcept { return registry_; }
  const LeaseClock& lease_clock() const noexcept { return lease_clock_; }
  const Links& links() const noexcept { return links_; }
  const Neighbours& neighbours() const noexcept { return neighbours_; }
  bool draining() const noexcept { return draining_; }
  std::uint32_t perf_runs() const noexcept { return perf_runs_; }
  // In a published pool.
  std::size_t published_workers() const noexcept { return published_workers_; }
  const Pools& pools() const noexcept { return pools_; }
  const Breakers& breakers() const noexcept { return breakers_; }
  // Calls visit(skill) for each action of a worker that has several: one alone is the worker itself.
  template <class Visit>
  void for_skills_of(const Session& session, Visit visit) const {
    const std::size_t count = session.hello.actions.size();
    for (std::size_t i = 0; count > 1 && i < count; ++i) visit(static_cast<SkillId>(i));
  }
  const Probes& probes() const noexcept { return probes_; }
  const Subscriptions& subscriptions() const noexcept { return subscriptions_; }
  const Degradations& degradations() const noexcept { return degradations_; }
  const CoreLoads& core_loads() const noexcept { return core_loads_; }
  const Captures& captures() const noexcept { return captures_; }
  std::uint64_t now_ns() const noexcept { return now_ns_; }
  std::uint64_t uptime_ns() const noexcept { return now_ns_ - started_ns_; }
  std::uint64_t commands_dropped() const noexcept;

 private:
  // control.cc
  void drain_mailbox(ShardId shard);
  void on_punt(const state::Punt& punt, ShardId shard);
  void on_shard_ended(SessionId id, ShardId shard);
  void run_requests();
  void set_draining(bool on);
  bool had_cores_work() noexcept;
  void set_paces();
  const HeartbeatPace& pace_of(const Session& session) const noexcept {
    return session.is_worker() ? worker_pace_ : client_pace_;
  }
  void serve_config();
  void use_settings();
  void use_tracing();
  void use_routes();

  // tracing.cc
  void hear_spans(ShardId shard);
  void on_span(const state::SpanRecord& record, ShardId shard);
  std::string name_of_session(SessionId id);

  // adjacency.cc
  std::string port_name(PortId port) const;
  void watch_links();
  void announce(PortId port);
  void hear_neighbours(ShardId shard);
  void on_neighbour(const state::Punt& punt, ShardId shard);
  void ask_neighbours();

  // registration.cc
  void on_hello(const state::Punt& punt, ShardId arrived);
  void on_bye(const state::Punt& punt, ShardId arrived);
  void start_session(Session& session);
  void install(const Session& session, ShardId shard);
  void welcome(const Session& session, const Path& path, std::uint32_t hello);
  void refuse_hello(const Path& path, std::uint32_t hello, ShardId arrived, wire::Reason reason);
  Grant grant_of(const Session& session) const noexcept;
  state::SessionRecord record_of(const Session& session, ShardId shard) const;
  Path path_from(const Session& session, ShardId shard) const;

  // leases.cc
  void sweep();
  struct Seen {
    std::uint32_t sum = 0;  // any frame changes it
    bool everywhere = true;
  };
  Seen seen(const Session& session) const noexcept;
  void observe(Session& session);
  void renew_lease(Session& session) noexcept;
  bool lease_over(const Session& session) const noexcept;
  void bring_up(Session& session);
  void keep_pace(Session& session);
  void refresh_worker(const Session& session);
  void start_drain(Session& session);
  void end_session(Session& session, std::string_view why);
  void publish_if_due();

  // suspecting.cc
  struct Suspect {
    SessionId session;
    std::uint32_t seen_sum = 0;  // when its host spoke
    std::uint32_t asked = 0;     // PINGs
    std::uint64_t due_ns = 0;    // the next; by its owner's lease clock
  };
  void on_closed_port(const wire::ClosedPort& closed);
  void judge_suspects();
  bool judged(Suspect& suspect);

  // subscribing.cc
  struct Confirmation {
    SessionId session;
    wire::FrameType answers{};
    std::uint32_t number = 0;  // of the subscription
    ShardId arrived{};
  };
  void on_subscribe(const state::Punt& punt, ShardId arrived);
  void publish_topics_if_due();
  std::unique_ptr<const state::TopicTree> topic_tree() const;
  void confirm(const Confirmation& done);
  void refuse_subscription(const Session& session, const Confirmation& done, wire::Reason reason);

  // breaking.cc
  void hear_outcomes();
  void hear(WorkerId worker);
  Session* find_up(WorkerId worker);
  bool probes_run(const BreakerId& id) const noexcept;
  void turn(Session& session, const BreakerId& id, BreakerState before, BreakerChange change);
  void log_turn(const Session& session, const BreakerId& id, BreakerChange change);
  std::uint8_t permits_of(const Breaker& breaker) const noexcept;
  void turn_gate(Session& session, BreakerChange change);
  void turn_skill(Session& session, SkillId skill, BreakerChange change);
  void begin_round(Session& session);
  void count_skills(Session& session, bool counted);
  void let_skills_in(Session& session, bool forced);
  void set_gate(const Session& session, const state::Gate& gate);
  void retire(Session& session);
  bool may_open(const Session& session, const BreakerId& id) const noexcept;

  // autoscaling.cc
  void recommend_if_due();

  // probing.cc
  void begin_probing(Session& session);
  void run_probes();
  void on_probe_answer(ProbeAnswer answer);

  CommandQueue& queue(ShardId shard) noexcept { return queues_[raw(shard)]; }
  // Calls visit(shard) for each shard that knows the session.
  template <class Visit>
  void for_shards_of(const Session& session, Visit visit) const {
    for (std::size_t i = 0; i < shared_.shards.size(); ++i) {
      const auto shard = ShardId(static_cast<std::uint8_t>(i));
      if (session.lives_on(shard)) visit(shard);
    }
  }

  state::Shared& shared_;
  const ControlOptions options_;
  const std::vector<wire::LocalAddresses> ports_;
  Registry registry_;
  Pools pools_;
  Links links_;
  Neighbours neighbours_;
  LeaseClock lease_clock_;
  CoreLoads core_loads_;
  HeartbeatPace worker_pace_, client_pace_;  // worker: who is both, too
  AckPace ack_pace_;
  Breakers breakers_;
  Probes probes_;
  std::vector<ProbeAnswer> answers_;  // of this poll
  std::vector<Suspect> suspects_;     // at most kSuspectsMax
  Subscriptions subscriptions_;
  std::vector<Confirmation> confirmations_;  // for when the cores know
  Degradations degradations_;
  Inquiries inquiries_;
  Captures captures_;
  Log log_;
  ConfigHistory config_;
  std::shared_ptr<const Settings> settings_;
  std::uint64_t config_generation_ = 1;
  std::vector<CommandQueue> queues_;  // by shard
  std::vector<state::Punt> punts_;    // room for one burst
  std::uint64_t now_ns_ = 0, started_ns_ = 0;
  std::uint64_t next_sweep_ns_ = 0, next_publish_ns_ = 0;
  std::uint64_t next_recommendation_ns_ = 0;
  std::uint64_t next_topics_ns_ = 0, published_topics_ = 0;  // version of the subscriptions
  std::uint64_t generation_ = 0;
  std::size_t published_workers_ = 0;
  std::size_t sweep_left_ = 0;    // live sessions that this sweep has still to look at
  std::uint64_t busy_loops_ = 0;  // of all cores, at the last poll
  bool started_ = false, draining_ = false;
  std::uint32_t perf_runs_ = 0;  // of measurements, so far

  std::mutex requests_mutex_;
  std::vector<std::function<void()>> requests_;  // guarded by requests_mutex_
};

}  // namespace mcplane::control
