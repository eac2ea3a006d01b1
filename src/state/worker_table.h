// One cache line a worker, shared by every dataplane core and the control thread: how many tasks it holds,
// how many it may hold, and whether it admits new ones.
//
// A core that wants to route acquires a slot here; the slot returns exactly once, by the RESULT, by the worker's
// word that it stopped, or with the end of its session. No acquire succeeds at outstanding >= bound.
// Each change moves the worker in its pool's index (load_index.h), by which cores find it.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "base/large_array.h"
#include "base/planted_bug.h"
#include "base/types.h"
#include "state/load_index.h"
#include "state/worker_pace.h"

namespace mcplane::state {

struct WorkerRef {
  WorkerId id = kNoWorker;
  SessionId session;
};

// What cores say of a worker, in one word: a change of it is one RMW, and is told to the index once.
struct WorkerLoad {
  static constexpr std::uint32_t kUnlisted = 0;  // without room: in no word of the index
  static constexpr std::uint64_t kVersion = std::uint64_t{1} << 40;

  std::uint64_t bits = 0;  // outstanding (32), 1 + level in the index or kUnlisted (8), version (24)

  std::uint32_t outstanding() const noexcept { return static_cast<std::uint32_t>(bits); }
  std::uint32_t listed() const noexcept { return static_cast<std::uint32_t>(bits >> 32) & 0xff; }
  WorkerLoad with(std::uint32_t held, std::uint32_t list) const noexcept {
    return {(bits & ~(kVersion - 1)) | std::uint64_t{list} << 32 | held};
  }
};

struct alignas(kCacheLineBytes) WorkerLine {
  // Written by: core loops. RMWs of this one word are totally ordered, so the bound holds over all cores; what a slot
  // protects (the task) lives on the acquiring core.
  // Acquire load before the fields below are read; pairs with the release RMW of whoever saw control's newest values
  // first: a core that read older ones fails its RMW, and reads again.
  std::atomic<std::uint64_t> load{0};

  // Written by: control, which then has a core call WorkerTable::refresh(), except after a mere drop of admits or
  // session, which the next core to look finds out.
  // session: release store after bound and admits; pairs with the acquire load in owner(), so a core that sees the
  // session sees its bound.
  std::atomic<std::uint32_t> session{0};
  std::atomic<std::uint32_t> bound{0};   // slots and look-ahead; may shrink below outstanding
  std::atomic<std::uint32_t> admits{0};  // 1: takes new tasks; 0: draining or gone

  WorkerPace pace;  // Written by: core loops, with `load`.

  // Where it is in the index of its pool. Written by: control, before any core is told of the worker, and after all
  // have let go of it. null: nowhere.
  std::uint32_t place = 0;
  LoadLeaf* leaf = nullptr;

  std::uint32_t outstanding() const noexcept { return WorkerLoad{load.load(std::memory_order_relaxed)}.outstanding(); }
  SessionId owner() const noexcept { return {session.load(std::memory_order_acquire)}; }
  // No acquire for that owner succeeds at it or above; 0 while nobody may have new tasks of it.
  std::uint32_t limit(SessionId owner) const noexcept {
    if (!owner || (admits.load(std::memory_order_relaxed) == 0 && !planted(PlantedBug::kRouteToDraining))) return 0;
    return bound.load(std::memory_order_relaxed) + (planted(PlantedBug::kAcceptOverBound) ? 1U : 0U);
  }
  // What is to be said of it when it holds that many.
  WorkerLoad holding(std::uint32_t held, WorkerLoad seen, std::uint32_t limit) const noexcept {
    return seen.with(held, held < limit && leaf != nullptr ? 1 + level_of(held) : WorkerLoad::kUnlisted);
  }
};

static_assert(sizeof(WorkerLine) == kCacheLineBytes && alignof(WorkerLine) == kCacheLineBytes);

class WorkerTable {
 public:
  // cores: how many call the functions below. One alone needs no locked instruction.
  WorkerTable(std::uint32_t capacity, std::uint32_t cores)
      : lines_(capacity), capacity_(capacity), alone_(cores == 1) {}

  // Takes a slot of the worker, for the session that is returned; none when it is full, draining or gone.
  SessionId try_acquire(WorkerId id) noexcept {
    WorkerLine& line = (*this)[id];
    WorkerLoad seen{line.load.load(std::memory_order_acquire)};
    for (;;) {
      const SessionId owner = line.owner();
      const std::uint32_t limit = line.limit(owner), held = seen.outstanding();
      if (held >= limit) break;
      if (change(line, seen, line.holding(held + 1, seen, limit))) return owner;
    }
    relist(line, seen, 0);
    return {};
  }

  // Gives back what try_acquire took. The line is not reused for another session until every shard has ended the old
  // one, so a slot never returns to a stranger.
  void release(WorkerId id) noexcept {
    WorkerLine& line = (*this)[id];
    WorkerLoad seen{line.load.load(std::memory_order_acquire)};
    WorkerLoad next;
    do {
      DCHECK(seen.outstanding() > 0);
      next = line.holding(seen.outstanding() - 1, seen, line.limit(line.owner()));
    } while (!change(line, seen, next));
  }

  // After control changed the line: the index follows. The new version makes every core look again that has read the
  // older values and not used them yet.
  void refresh(WorkerId id) noexcept {
    WorkerLine& line = (*this)[id];
    relist(line, {line.load.load(std::memory_order_acquire)}, WorkerLoad::kVersion);
    if (line.leaf != nullptr) line.leaf->index->rise(alone_);
  }

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
  // False when another core was faster; `seen` is then what it left.
  bool change(WorkerLine& line, WorkerLoad& seen, WorkerLoad next) noexcept {
    if (alone_) {
      line.load.store(next.bits, std::memory_order_relaxed);
    } else if (!line.load.compare_exchange_weak(seen.bits, next.bits, std::memory_order_acq_rel,
                                                std::memory_order_acquire)) {
      return false;
    }
    const std::uint32_t from = seen.listed(), to = next.listed();
    if (from == to || line.leaf == nullptr) return true;
    const std::uint64_t bit = std::uint64_t{1} << line.place % kLoadFanOut;
    // The new bit first: a worker with room is never out of sight.
    if (to != WorkerLoad::kUnlisted) LoadIndex::flip(*line.leaf, to - 1, bit, alone_);
    if (from != WorkerLoad::kUnlisted) LoadIndex::flip(*line.leaf, from - 1, bit, alone_);
    return true;
  }

  // The line as it is, no more and no less: a bit that a change of control's left behind goes, or comes.
  void relist(WorkerLine& line, WorkerLoad seen, std::uint64_t version) noexcept {
    WorkerLoad next;
    do {
      next = line.holding(seen.outstanding(), seen, line.limit(line.owner()));
      next.bits += version;
    } while (next.bits != seen.bits && !change(line, seen, next));
  }

  LargeArray<WorkerLine> lines_;
  std::uint32_t capacity_;
  bool alone_;
};

}  // namespace mcplane::state
