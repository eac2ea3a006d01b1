// See loop_sampler.h. Out of line: what is here runs in one loop of many, or never.
#include "dataplane/loop_sampler.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/tsc.h"

namespace mcplane::dataplane {
namespace {

// Of a frame that is forwarded: its header may have been rewritten in place already, or not.
std::optional<state::Leg> leg_of(wire::FrameType type) noexcept {
  switch (type) {
    case wire::FrameType::Send:
    case wire::FrameType::Route:
      return state::Leg::kRoute;
    case wire::FrameType::Result:
    case wire::FrameType::Deliver:
      return state::Leg::kDeliver;
    default:
      return std::nullopt;
  }
}

void add(state::Residence& residence, std::uint64_t cycles, std::uint32_t frames) noexcept {
  if (frames == 0) return;
  residence.counts[state::Residence::Buckets::bucket_of(cycles)].add(frames);
  residence.max.set(std::max(residence.max.read(), cycles));
}

void clear(state::PerfCounters& perf) noexcept {
  for (state::Counter* counter : {&perf.elapsed_cycles, &perf.loops, &perf.sampled_loops, &perf.busy_cycles,
                                  &perf.idle_cycles, &perf.frames, &perf.tasks})
    counter->set(0);
  for (state::Counter& cycles : perf.cycles) cycles.set(0);
  for (state::Residence& residence : perf.residence) {
    for (state::Counter& count : residence.counts) count.set(0);
    residence.max.set(0);
  }
}

}  // namespace

void LoopSampler::start_run(std::uint32_t run, std::uint64_t now_tsc) noexcept {
  seen_run_ = run;
  run_began_tsc_ = now_tsc;
  loops_to_go_ = kPeriod;
  clear(perf_);
  perf_.run.set(run);
}

void LoopSampler::begin_if_due(std::uint32_t run) noexcept {
  if (run != seen_run_) start_run(run, tsc());
  if (--loops_to_go_ != 0) return;
  loops_to_go_ = kPeriod;
  measuring_ = true;
  laps_.fill(0);
  burst_.fill({});
  bursts_ = 0;
  frames_ = 0;
  accepted_before_ = counters_.accepted.read() + counters_.shadow.accepted.read();
  began_tsc_ = lap_tsc_ = tsc();
}

void LoopSampler::take_lap(state::Station station) noexcept {
  const std::uint64_t now_tsc = tsc();
  laps_[raw(station)] += now_tsc - lap_tsc_;
  lap_tsc_ = now_tsc;
  if (station == state::Station::kRx) received_tsc_ = now_tsc;
}

void LoopSampler::note_burst(std::span<const Frame> frames, std::span<const Verdict> verdicts) noexcept {
  DCHECK(bursts_ < kBursts);
  Burst& burst = burst_[bursts_++];
  burst.received_tsc = received_tsc_;
  frames_ += frames.size();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (verdicts[i].action != Action::kForward || frames[i].header == nullptr) continue;
    if (const auto leg = leg_of(frames[i].header->type())) ++burst.frames[raw(*leg)];
  }
}

void LoopSampler::record(bool busy) noexcept {
  measuring_ = false;
  const std::uint64_t cycles = lap_tsc_ - began_tsc_;
  perf_.elapsed_cycles.set(lap_tsc_ - run_began_tsc_);
  perf_.loops.add(kPeriod);
  perf_.sampled_loops.add();
  if (!busy) return perf_.idle_cycles.add(cycles);
  perf_.busy_cycles.add(cycles);
  for (std::size_t i = 0; i < laps_.size(); ++i) perf_.cycles[i].add(laps_[i]);
  perf_.frames.add(frames_);
  perf_.tasks.add(counters_.accepted.read() + counters_.shadow.accepted.read() - accepted_before_);
  for (const Burst& burst : burst_)
    for (std::size_t leg = 0; leg < state::kLegs; ++leg)
      add(perf_.residence[leg], lap_tsc_ - burst.received_tsc, burst.frames[leg]);
}

}  // namespace mcplane::dataplane
