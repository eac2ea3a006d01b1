// Ranges are those of the protocol's limits and of what a bad network does; tables are small so that they fill.
#include "swarm.h"

#include <algorithm>

#include "dataplane/shard.h"

namespace mcplane::sim {
namespace {

// A level of a fault: none, a little, or anything up to the worst.
double draw_level(Random& random, double worst) noexcept {
  switch (random.below(4)) {
    case 0:
      return 0;
    case 1:
      return 0.02 * random.unit() * worst;
    default:
      return random.unit() * worst;
  }
}

std::uint64_t draw_span(Random& random, std::uint64_t worst_ns) noexcept {
  return between_ns(random, kNsPerMs, worst_ns >> (2 * random.below(3)));
}

Sizes draw_sizes(Random& random) {
  Sizes sizes;
  sizes.shards = between(random, 1, 4);
  sizes.ports = between(random, 1, 2);
  sizes.queues = chance(random, 0.7) ? sizes.shards : between(random, 1, sizes.shards);
  sizes.clients = between(random, 1, 8);
  sizes.workers = between(random, 1, 6);
  sizes.burst = static_cast<std::uint16_t>(chance(random, 0.5) ? 32 : between(random, 1, 64));
  sizes.handoff_frames = chance(random, 0.5) ? 256 : between(random, 2, 16);
  sizes.tx_capacity = chance(random, 0.6) ? 0 : between(random, 4, 32);
  sizes.max_tasks = chance(random, 0.5) ? 1'024 : between(random, 64, 512);
  sizes.max_queued = std::min(sizes.max_tasks, chance(random, 0.5) ? 256 : between(random, 16, 128));
  sizes.max_routes = chance(random, 0.7) ? 64 : between(random, 4, 16);
  sizes.client_slots = static_cast<std::uint16_t>(1'024 / sizes.clients);
  // What the configuration of an appliance asks for: held frames, spares, and a few on their way.
  const auto kept = static_cast<std::uint32_t>(sizes.max_queued + dataplane::kSpares + 2 * net::kBurstMax);
  sizes.buffers = sizes.shards * kept + (chance(random, 0.5) ? 1'024 : between(random, 32, 256));
  sizes.steered = chance(random, 0.5);
  return sizes;
}

Faults draw_faults(Random& random) {
  Faults faults;
  faults.loss = draw_level(random, 0.3);
  faults.duplicate = draw_level(random, 0.5);
  faults.reorder = draw_level(random, 0.5);
  faults.corrupt = draw_level(random, 0.05);
  faults.delay_min_ns = between_ns(random, 500, 50'000);
  faults.delay_max_ns = faults.delay_min_ns + between_ns(random, 500, chance(random, 0.3) ? 20 * kNsPerMs : 100'000);
  // A round trip of seconds registers hardly anybody: few seeds are worth it.
  if (chance(random, 0.03)) faults.delay_max_ns = between_ns(random, 20 * kNsPerMs, 5 * kNsPerSecond);
  faults.reorder_ns = draw_span(random, chance(random, 0.2) ? 5 * kNsPerSecond : 800 * kNsPerMs);
  faults.late_drain = draw_level(random, 0.8);
  if (chance(random, 0.8)) faults.mishap_interval_ns = between_ns(random, 20 * kNsPerMs, 600 * kNsPerMs);
  for (bool& mishap : faults.mishaps) mishap = chance(random, 0.5);
  faults.clog_max_ns = draw_span(random, 5 * kNsPerSecond);
  faults.partition_max_ns = draw_span(random, 5 * kNsPerSecond);
  faults.down_max_ns = draw_span(random, kNsPerSecond);
  faults.pause_max_ns = draw_span(random, 400 * kNsPerMs);
  faults.stall_max_ns = draw_span(random, 800 * kNsPerMs);
  return faults;
}

Load draw_load(Random& random, const Sizes& sizes) {
  Load load;
  load.tasks = between(random, 1'000, 1'300);
  load.burst_max = chance(random, 0.5) ? 1 : between(random, 2, 32);
  const std::uint64_t span_ns = between_ns(random, 400 * kNsPerMs, 2 * kNsPerSecond);
  load.interval_ns = span_ns * sizes.clients * (load.burst_max + 1) / 2 / load.tasks;
  load.ttl_min_ms = between(random, 1, 100);
  load.ttl_max_ms = load.ttl_min_ms + between(random, 1, chance(random, 0.3) ? 100 : 1'000);
  load.service_min_ns = between_ns(random, 0, kNsPerMs);
  load.service_max_ns = load.service_min_ns + draw_span(random, 100 * kNsPerMs);
  load.payload_max = chance(random, 0.7) ? 100 : 1'200;
  load.answer_max = chance(random, 0.7) ? 100 : 1'500;
  load.selectors = chance(random, 0.7) ? between(random, 1, 5) : between(random, 6, 40);
  load.worker_slots_max = static_cast<std::uint16_t>(chance(random, 0.5) ? 4 : between(random, 1, 64));
  load.worker_heartbeat_ms = chance(random, 0.7) ? 100 : between(random, 20, 200);
  load.client_heartbeat_ms = chance(random, 0.7) ? 1'000 : between(random, 100, 1'000);
  load.idempotent = chance(random, 0.3) ? 0 : random.unit();
  load.cancelled = draw_level(random, 0.3);
  return load;
}

// Room for all there can be, workers who serve everything, and no time that runs out: only the network is left to
// blame.
void leave_no_excuse(Random& random, Options& options) {
  Sizes& sizes = options.sizes;
  sizes.handoff_frames = 1'024;
  sizes.tx_capacity = 0;
  sizes.max_tasks = sizes.max_queued = 1'024;
  sizes.max_routes = 64;
  sizes.client_slots = static_cast<std::uint16_t>(512 / sizes.clients);
  sizes.buffers = sizes.shards * 1'400 + 4'096;
  options.faults.mishap_interval_ns = 0;
  Load& load = options.load;
  load.ttl_min_ms = 60'000;
  load.ttl_max_ms = 90'000;
  load.service_max_ns = std::min(load.service_max_ns, load.service_min_ns + 5 * kNsPerMs);
  load.worker_slots_min = 16;
  load.worker_slots_max = 64;
  load.selectors = 1;
  load.answer_max = std::min(load.answer_max, 1'200U);
  load.cancelled = 0;
  // Three heartbeats that are lost in a row would end a session, and its tasks with it.
  load.worker_heartbeat_ms = load.client_heartbeat_ms = between(random, 5'000, 8'000);
  options.drain_broker = false;
}

// Frames may be lost, but each will come within a second: no lease runs out for it.
void draw_losses(Random& random, Options& options) {
  options.promise = Promise::kDelivery;
  leave_no_excuse(random, options);
  Faults& faults = options.faults;
  faults.loss = chance(random, 0.5) ? 0.05 * random.unit() : 0.3 * random.unit();
  faults.delay_max_ns = std::min(faults.delay_max_ns, 20 * kNsPerMs);
  faults.reorder_ns = std::min(faults.reorder_ns, kNsPerSecond);
}

// Cores and control pause, cables are pulled: nobody is evicted for it, and what was lost meanwhile is made good.
void draw_pauses(Random& random, Options& options) {
  options.promise = Promise::kDelivery;
  leave_no_excuse(random, options);
  options.load.worker_heartbeat_ms = 100;
  options.load.client_heartbeat_ms = 1'000;
  Faults sound;
  sound.mishap_interval_ns = between_ns(random, 100 * kNsPerMs, 800 * kNsPerMs);
  for (const Mishap mishap : {Mishap::kCorePause, Mishap::kControlStall, Mishap::kLinkFlap})
    sound.mishaps[static_cast<std::size_t>(mishap)] = chance(random, 0.7);
  // Shorter than three heartbeats: an endpoint that misses these gives its session up.
  sound.pause_max_ns = sound.stall_max_ns = draw_span(random, 200 * kNsPerMs);
  options.faults = sound;
}

void draw_none(Random& random, Options& options) {
  options.promise = Promise::kEconomy;
  leave_no_excuse(random, options);
  options.faults = {};
  options.faults.delay_min_ns = between_ns(random, 500, 200'000);
  options.faults.delay_max_ns = options.faults.delay_min_ns + between_ns(random, 500, 200'000);
}

// Breakers that open at little, for about as long as a burst of failures lasts.
void draw_breakers(Random& random, Options& options) {
  control::BreakerSettings& breaker = options.breaker;
  breaker.enabled = true;
  breaker.window = between(random, 10, 100);
  breaker.outcomes_min = between(random, 2, 20);
  breaker.failure_share = 0.3 + 0.5 * random.unit();
  breaker.consecutive = between(random, 2, 6);
  // After the heal a worker takes a millisecond at most beyond the least, and nothing may be slow.
  const std::uint64_t sound_ns = options.load.service_min_ns + kNsPerMs;
  breaker.slow_ns = chance(random, 0.5) ? 0 : sound_ns + between_ns(random, kNsPerMs, 50 * kNsPerMs);
  breaker.open_ns = between_ns(random, 10 * kNsPerMs, 300 * kNsPerMs);
  breaker.open_max_ns = breaker.open_ns * between(random, 1, 4);
  breaker.jitter = 0.5 * random.unit();
  breaker.probes = between(random, 1, 5);
  breaker.ejected_share_max = chance(random, 0.5) ? 1 : 0.5;
  options.load.failing_ns = between_ns(random, 20 * kNsPerMs, 400 * kNsPerMs);
  options.load.failing_alone = chance(random, 0.5);
  if (options.seed % 2 == 0) options.load.probe_interval_ns = between_ns(random, 5 * kNsPerMs, 20 * kNsPerMs);
}

// Something stands in for workers: mostly while none is in. After the heal each task has to be answered.
void draw_degradation(Random& random, Options& options) {
  using wire::Substitute;
  control::DegradeSettings& degrade = options.degrade;
  if (chance(random, 0.7)) degrade.chain.push_back(Substitute::Cached);
  if (chance(random, 0.5)) degrade.chain.push_back(Substitute::Fallback);
  if (degrade.chain.size() == 2 && chance(random, 0.5)) std::swap(degrade.chain[0], degrade.chain[1]);
  const bool ends = degrade.chain.empty() || chance(random, 0.6);
  if (ends) degrade.chain.push_back(chance(random, 0.5) ? Substitute::Reply : Substitute::Skip);
  degrade.when = ends && chance(random, 0.2) ? control::DegradeWhen::kAlways : control::DegradeWhen::kAuto;
  degrade.reply = "nobody is in";
  degrade.fallback_action = "action0";
  degrade.cache_ttl_ns = between_ns(random, 10 * kNsPerMs, 4 * kNsPerSecond);
  options.load.questions = between(random, 1, 20);
}

// A load test beside production, and copies of production's tasks; at times nobody is there for them.
void draw_shadow(Random& random, Options& options) {
  options.sizes.shadow_workers = between(random, 0, 3);
  options.load.shadow = chance(random, 0.3) ? 0 : 0.6 * random.unit();
  options.load.mirror = chance(random, 0.3) ? 0 : random.unit();
}

// In a world that makes no promise about it, also those that lose frames.
void draw_news(Random& random, Options& options) {
  options.load.news_interval_ns = between_ns(random, kNsPerMs, 20 * kNsPerMs);
}

}  // namespace

Options draw(std::uint64_t seed) {
  Random random(seed);
  Options options;
  options.seed = seed;
  options.sizes = draw_sizes(random);
  options.faults = draw_faults(random);
  options.load = draw_load(random, options.sizes);
  options.drain_broker = chance(random, 0.05);
  const std::uint32_t which = random.below(20);
  if (which < 3) draw_losses(random, options);
  if (which == 3) draw_pauses(random, options);
  if (which == 4) draw_none(random, options);
  constexpr std::uint64_t kSeedsPerBreaker = 7;
  if (which > 4 && seed % kSeedsPerBreaker == kSeedsPerBreaker - 1) draw_breakers(random, options);
  constexpr std::uint64_t kSeedsPerDegradation = 5;
  if (which > 4 && seed % kSeedsPerDegradation == 0) draw_degradation(random, options);
  constexpr std::uint64_t kSeedsPerShadow = 5;
  if (which > 4 && seed % kSeedsPerShadow == kSeedsPerShadow - 1) draw_shadow(random, options);
  constexpr std::uint64_t kSeedsPerNews = 5;
  if (seed % kSeedsPerNews == 1 || options.promise == Promise::kEconomy) draw_news(random, options);
  return options;
}

}  // namespace mcplane::sim
