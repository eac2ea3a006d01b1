// What came of tasks, by action, and how long they took. Only monotonic counters are added up, never subtracted: no
// series goes back between two scrapes.
#include <array>

#include "control/cores/shard_sums.h"
#include "control/metrics/metrics.h"

namespace mcplane::control {
namespace {

using state::ActionCounters;
using state::Durations;
using state::ShardCounters;
using state::TaskEnds;

// How a task of production can end, in the words of the SDK's outcomes where it has them.
struct Outcome {
  std::string_view name;
  std::array<state::Counter ActionCounters::*, 2> counters;  // the second may be null
};

constexpr std::array<Outcome, 9> kOutcomes = {{
    {"result", {&ActionCounters::delivered, nullptr}},
    {"worker_error", {&ActionCounters::failed, nullptr}},
    {"rejected", {&ActionCounters::refused, &ActionCounters::rejected_late}},
    {"expired_unrouted", {&ActionCounters::expired_unrouted, nullptr}},
    {"expired_routed", {&ActionCounters::expired_routed, nullptr}},
    {"worker_lost", {&ActionCounters::worker_lost, nullptr}},
    {"client_lost", {&ActionCounters::client_lost, nullptr}},
    {"cancelled", {&ActionCounters::cancelled, nullptr}},
    {"degraded", {&ActionCounters::answered, &ActionCounters::degraded_late}},
}};

// What a core's REJECT may say.
constexpr std::array kRejectReasons = {wire::Reason::UnknownSession, wire::Reason::Malformed,  wire::Reason::NoWorker,
                                       wire::Reason::QueueFull,      wire::Reason::TableFull,  wire::Reason::TooLarge,
                                       wire::Reason::Draining,       wire::Reason::Expired,    wire::Reason::WorkerLost,
                                       wire::Reason::Overloaded,     wire::Reason::RateLimited};

// Calls visit(name, number) for each action that has books.
template <class Visit>
void for_actions(const Control& control, Visit visit) {
  const auto& actions = control.pools().actions();
  for (std::size_t i = 0; i < actions.size(); ++i) visit(std::string_view(actions[i]), i + 1);
  visit(kOtherActionsName, std::size_t{state::kOtherActions});
}

void add_actions(const Control& control, MetricList& list) {
  const auto sum = [&control](std::size_t action, state::Counter ActionCounters::*which) {
    return sum_of(
        control.shared(), [=](const ShardCounters& all) -> auto& { return all.actions[action].*which; });
  };
  auto received =
      list.counter("mcplane_tasks_received_total", "Tasks of clients: accepted, or refused or answered at once.");
  for_actions(control, [&](std::string_view name, std::size_t action) {
    received.add({{"action", name}}, sum(action, &ActionCounters::accepted) + sum(action, &ActionCounters::refused) +
                                         sum(action, &ActionCounters::answered));
  });
  auto completed = list.counter("mcplane_tasks_completed_total", "Tasks that ended, each once, by what came of them.");
  for_actions(control, [&](std::string_view name, std::size_t action) {
    for (const Outcome& outcome : kOutcomes) {
      std::uint64_t count = 0;
      for (const auto which : outcome.counters) count += which != nullptr ? sum(action, which) : 0;
      completed.add({{"action", name}, {"outcome", outcome.name}}, count);
    }
  });
}

void add_states(const state::Shared& shared, MetricList& list) {
  auto states = list.gauge("mcplane_tasks_in_state", "Tasks in the table, by where they are.");
  for (std::size_t i = 1; i < state::kTaskStates; ++i)
    states.add({{"state", state::kTaskStateNames[i]}},
               sum_of(
                   shared, [i](const ShardCounters& all) -> auto& { return all.in_state[i]; }));
  auto rejects = list.counter("mcplane_rejects_sent_total", "REJECTs sent, by reason, repeats too.");
  for (const wire::Reason reason : kRejectReasons)
    rejects.add({{"reason", wire::reason_word(reason)}},
                sum_of(
                    shared, [=](const ShardCounters& all) -> auto& { return all.rejected[raw(reason)]; }));
  list.counter("mcplane_tasks_failed_over_total",
               "Times that a task was taken from a worker that is gone, for another.")
      .add({}, sum_of(shared, &ShardCounters::failed_over));
  auto degraded = list.counter("mcplane_tasks_degraded_total", "Answers that stood in for the workers asked for.");
  for (std::size_t i = 1; i < wire::kSubstitutes; ++i)
    degraded.add({{"substitute", wire::kSubstituteNames[i]}},
                 sum_of(
                     shared, [i](const ShardCounters& all) -> auto& { return all.degraded[i]; }));
}

// Load tests beside production, and copies of production's tasks.
void add_shadow(const state::Shared& shared, MetricList& list) {
  using Kind = state::TaskCounters ShardCounters::*;
  const auto sum = [&shared](Kind kind, TaskEnds::Which which) {
    return sum_of(
        shared, [=](const ShardCounters& all) -> auto& { return all.*kind.*which; });
  };
  list.counter("mcplane_shadow_tasks_accepted_total", "Tasks for shadow workers that were accepted.")
      .add({{"kind", "load_test"}}, sum(&ShardCounters::shadow, &TaskEnds::accepted))
      .add({{"kind", "mirror"}}, sum(&ShardCounters::mirror, &TaskEnds::accepted));
  list.counter("mcplane_shadow_tasks_delivered_total", "Tasks for shadow workers that were answered.")
      .add({{"kind", "load_test"}}, sum(&ShardCounters::shadow, &TaskEnds::delivered))
      .add({{"kind", "mirror"}}, sum(&ShardCounters::mirror, &TaskEnds::delivered));
  list.counter("mcplane_mirror_skipped_total", "Copies for shadow workers that were due and not made, by why.")
      .add({{"reason", "no_worker"}}, sum_of(shared, &ShardCounters::mirror_no_worker))
      .add({{"reason", "over_cap"}}, sum_of(shared, &ShardCounters::mirror_over_cap))
      .add({{"reason", "no_buffer"}}, sum_of(shared, &ShardCounters::mirror_no_buffer));
}

// From 2^10 to 2^37 ns, 1 us to 137 s, each twice the one before: edges of the cores' buckets, so counts are exact.
constexpr unsigned kFirstBoundBits = 10, kLastBoundBits = 37;

prometheus::ClientMetric::Histogram histogram_of(const state::Shared& shared, Durations state::TaskTimings::*which) {
  using Buckets = Durations::Buckets;
  prometheus::ClientMetric::Histogram histogram;
  std::uint64_t tasks = 0, sum_ns = 0;
  std::size_t bucket = 0;
  const auto count_to = [&](std::size_t end) {
    for (; bucket < end; ++bucket)
      for (const auto& shard : shared.shards) tasks += (shard->timings.*which).counts[bucket].read();
  };
  for (unsigned bits = kFirstBoundBits; bits <= kLastBoundBits; ++bits) {
    const std::uint64_t bound_ns = std::uint64_t{1} << bits;
    count_to(Buckets::bucket_of(bound_ns));
    histogram.bucket.push_back({tasks, static_cast<double>(bound_ns) / static_cast<double>(kNsPerSecond)});
  }
  count_to(Buckets::kBuckets);
  for (const auto& shard : shared.shards) sum_ns += (shard->timings.*which).sum_ns.read();
  histogram.sample_count = tasks;
  histogram.sample_sum = static_cast<double>(sum_ns) / static_cast<double>(kNsPerSecond);
  return histogram;
}

void add_timings(const state::Shared& shared, MetricList& list) {
  using state::TaskTimings;
  list.histogram("mcplane_task_duration_seconds", "From a task's acceptance to its answer, or to its end without one.")
      .add(histogram_of(shared, &TaskTimings::task));
  list.histogram("mcplane_queue_duration_seconds", "From a task's acceptance to when it first left for a worker.")
      .add(histogram_of(shared, &TaskTimings::queue));
  list.histogram("mcplane_broker_overhead_seconds", "What the broker itself took of an answered task's time.")
      .add(histogram_of(shared, &TaskTimings::broker));
}

}  // namespace

void add_task_metrics(const Control& control, MetricList& list) {
  add_actions(control, list);
  add_timings(control.shared(), list);
  add_states(control.shared(), list);
  add_shadow(control.shared(), list);
}

}  // namespace mcplane::control
