// See admission.h.
#include "dataplane/admission.h"

#include <algorithm>

namespace mcplane::dataplane {
namespace {

constexpr std::uint64_t kStandingNsMin = 100 * kNsPerMs, kWaitNsMin = kNsPerMs;
constexpr std::uint64_t kStandingTasks = 8, kWaitTasks = 3;  // as long as so many tasks take one after the other
constexpr std::uint64_t kRetryMsMax = 60'000;
constexpr std::uint8_t kMayWait = wire::kPriorities - 1;

Refusal refusal_for(wire::Reason reason, std::uint64_t wait_ns) noexcept {
  return {reason, static_cast<std::uint32_t>(std::clamp<std::uint64_t>(wait_ns / kNsPerMs + 1, 1, kRetryMsMax))};
}

// Tasks that leave before one that joins now: those of more urgent classes, and of its own class as many of each client
// as it will have itself.
std::uint64_t tasks_before(const WaitingLines& lines, std::uint8_t priority, std::uint32_t own) noexcept {
  std::uint64_t before = 0;
  for (std::uint8_t i = 0; i < priority; ++i) before += lines.classes[i].frames;
  const WaitingClass& line = lines.classes[priority];
  return before + std::min<std::uint64_t>(line.frames, (own + std::uint64_t{1}) * line.flows);
}

// The clock may be another core's that read it a moment later. Lost to another core: as if it had come after that one.
Refusal pay_shared(state::SharedLimit& shared, const state::Limit& limit, std::uint64_t now_ns) noexcept {
  std::uint64_t paid_ns = shared.paid_until_ns.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t next_ns = state::pay(limit, paid_ns, now_ns);
    if (next_ns == 0) return refusal_for(wire::Reason::RateLimited, state::debt_ns(limit, paid_ns, now_ns));
    if (shared.paid_until_ns.compare_exchange_weak(paid_ns, next_ns, std::memory_order_relaxed)) return {};
  }
}

}  // namespace

Refusal check_limits(Shard& shard, const RouteEntry& entry, Session& client) noexcept {
  const state::Limit& own = shard.snapshot->client_limit;
  const state::RouteRule& rule = entry.rule;
  if (own.concurrency > 0 && client.open >= own.concurrency) return {.reason = wire::Reason::RateLimited};
  state::SharedLimit* shared = nullptr;
  if (rule.shared_limit != state::kNoSharedLimit) {
    shared = &shard.shared.limits[rule.shared_limit];
    // Cores that look at once may go over it by as many tasks as there are cores.
    if (rule.limit.concurrency > 0 && shared->open.load(std::memory_order_relaxed) >= rule.limit.concurrency)
      return {.reason = wire::Reason::RateLimited};
  }
  std::uint64_t paid_ns = client.paid_until_ns;
  if (own.interval_ns > 0) {
    paid_ns = state::pay(own, client.paid_until_ns, shard.now_ns);
    if (paid_ns == 0)
      return refusal_for(wire::Reason::RateLimited, state::debt_ns(own, client.paid_until_ns, shard.now_ns));
  }
  if (shared != nullptr && rule.limit.interval_ns > 0)
    if (const Refusal refusal = pay_shared(*shared, rule.limit, shard.now_ns)) return refusal;
  client.paid_until_ns = paid_ns;
  return {};
}

Refusal check_wait(const Shard& shard, const RouteEntry& entry, std::uint8_t priority, std::uint32_t own,
                   std::uint32_t ttl_ms) noexcept {
  if (!entry.pace.known()) return {};
  const std::uint64_t wait_ns = tasks_before(entry.lines, priority, own) * entry.pace.interval_ns;
  const std::uint64_t ttl_ns = ttl_ms * kNsPerMs;
  if (wait_ns > ttl_ns) return refusal_for(wire::Reason::Overloaded, wait_ns - ttl_ns);
  const std::uint64_t task_ns = std::uint64_t{entry.pace.interval_ns} * slots_of(shard, entry).all;
  if (priority == kMayWait || task_ns == 0) return {};
  const bool standing =
      shard.now_ns - entry.pace.waiting_since_ns >= std::max(kStandingNsMin, kStandingTasks * task_ns);
  const std::uint64_t enough_ns = std::max(kWaitNsMin, kWaitTasks * task_ns);
  if (entry.lines.frames == 0 || !standing || wait_ns <= enough_ns) return {};
  return refusal_for(wire::Reason::Overloaded, wait_ns - enough_ns);
}

void open_task(Shard& shard, const RouteEntry& entry, Session& client, Task& task) noexcept {
  task.open = true;
  ++client.open;
  task.shared_limit = entry.rule.shared_limit;
  if (task.shared_limit != state::kNoSharedLimit)
    shard.shared.limits[task.shared_limit].open.fetch_add(1, std::memory_order_relaxed);
}

Slots slots_of(const Shard& shard, const RouteEntry& entry) noexcept {
  Slots slots;
  std::uint32_t held = 0;
  for (std::uint32_t i = 0; i < entry.own.count; ++i) {
    const state::LoadIndex& load = *shard.snapshot->pool(entry.own.pools[i]).load;
    slots.all += load.slots.load(std::memory_order_relaxed);
    held += load.held.load(std::memory_order_relaxed);
  }
  slots.free = slots.all - std::min(slots.all, held);
  return slots;
}

}  // namespace mcplane::dataplane
