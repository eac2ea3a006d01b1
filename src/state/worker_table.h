// One cache line a worker, shared by every dataplane core and the control thread: how many tasks it holds,
// how many it may hold, and whether it admits new ones.
//
// A core that wants to route acquires a slot here; the slot returns exactly once, by the RESULT, by the worker's
// word that it stopped, or with the end of its session. No acquire succeeds at outstanding >= bound.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/types.h"

namespace mcplane::state {

struct alignas(kCacheLineBytes) WorkerLine {
  // Written by: core loops. RMWs of this one counter are totally ordered, so the bound holds over all cores without
  // further edges; what a slot protects (the task) lives on the acquiring core.
  std::atomic<std::uint32_t> outstanding{0};

  // Written by: control.
  // session: release store after bound and admits; pairs with the acquire load in try_acquire, so a core that sees
  // the session sees its bound.
  std::atomic<std::uint32_t> session{0};
  std::atomic<std::uint32_t> bound{0};   // advertised slots; may shrink below outstanding
  std::atomic<std::uint32_t> admits{0};  // 1: takes new tasks; 0: draining or gone

  // Takes a slot of the worker for `owner`. Core loops. False when it is full, draining, or another's by now.
  bool try_acquire(SessionId owner) noexcept {
    if (session.load(std::memory_order_acquire) != owner.value) return false;
    if (admits.load(std::memory_order_relaxed) == 0 && !planted(PlantedBug::kRouteToDraining)) return false;
    const std::uint32_t limit = bound.load(std::memory_order_relaxed);
    std::uint32_t held = outstanding.load(std::memory_order_relaxed);
    while (held < limit + (planted(PlantedBug::kAcceptOverBound) ? 1U : 0U)) {
      if (outstanding.compare_exchange_weak(held, held + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  // Gives back what try_acquire(owner) took. The line is not reused for another session until every shard has
  // ended the old one, so a slot never returns to a stranger.
  void release() noexcept {
    [[maybe_unused]] const std::uint32_t before = outstanding.fetch_sub(1, std::memory_order_relaxed);
    DCHECK(before > 0);
  }
};

static_assert(sizeof(WorkerLine) == kCacheLineBytes && alignof(WorkerLine) == kCacheLineBytes);

class WorkerTable {
 public:
  explicit WorkerTable(std::uint32_t capacity) : lines_(new WorkerLine[capacity]), capacity_(capacity) {}

  WorkerLine& operator[](WorkerId id) noexcept {
    DCHECK(raw(id) < capacity_);
    return lines_[raw(id)];
  }
  const WorkerLine& operator[](WorkerId id) const noexcept {
    DCHECK(raw(id) < capacity_);
    return lines_[raw(id)];
  }
  std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  std::unique_ptr<WorkerLine[]> lines_;
  std::uint32_t capacity_;
};

}  // namespace mcplane::state
