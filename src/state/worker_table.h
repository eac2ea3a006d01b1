// One cache line a worker, shared by every dataplane core and the control thread: how many tasks it holds,
// how many it may hold, and whether it admits new ones: none while its breaker is open, a counted few half-open.
//
// A core that wants to route acquires a slot here; the slot returns exactly once, by the RESULT, by the worker's
// word that it stopped, or with the end of its session. No acquire succeeds at outstanding >= bound.
// Each change moves the worker in its pool's index (load_index.h), by which cores find it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "base/large_array.h"
#include "base/planted_bug.h"
#include "base/prefetch.h"
#include "base/types.h"
#include "state/load_index.h"
#include "state/worker_pace.h"

namespace mcplane::state {

class SkillBoard;

// How often a worker's breaker has opened, modulo 256. Its gate lets a task through only where cores and control name
// the same round: control shuts it with one store, and what it told cores before lets nothing through any more.
using GateRound = std::uint8_t;
// Of a task that took no part in any round, or has told its outcome.
inline constexpr std::uint16_t kNoRound = 0x100, kRoundMask = 0x1ff;

// A slot of a worker, for a task of that session.
struct WorkerRef {
  WorkerId id = kNoWorker;
  SessionId session;               // none: no slot
  std::uint16_t round = kNoRound;  // of the gate it came through
  SkillId skill{};                 // what it is to do there
};

// What control has one core put into a worker's load.
struct Gate {
  static constexpr std::uint8_t kPermitsMax = 127;

  GateRound round = 0;
  bool metered = false;  // half-open: each task takes a permit
  std::uint8_t permits = 0;
};

// What cores say of a worker, in one word: a change of it is one RMW, and is told to the index once. So a permit is
// taken with the slot, and no more are than there were, over all cores.
//
//   63            40 39          32   31    30     24 23    16 15           0
//   |    version    |  1 + level   | metered | permits | round  | outstanding |    level kUnlisted: in no index
struct WorkerLoad {
  static constexpr std::uint32_t kUnlisted = 0;  // without room: in no word of the index
  static constexpr std::uint64_t kOne = 1, kVersion = std::uint64_t{1} << 40;
  static constexpr std::uint64_t kPermit = 1U << 24, kMetered = std::uint64_t{1} << 31, kGate = 0xffff'0000;
  static constexpr std::uint64_t kList = std::uint64_t{0xff} << 32;

  std::uint64_t bits = 0;

  std::uint32_t outstanding() const noexcept { return static_cast<std::uint16_t>(bits); }
  std::uint32_t listed() const noexcept { return static_cast<std::uint32_t>(bits >> 32) & 0xff; }
  GateRound round() const noexcept { return static_cast<GateRound>(bits >> 16); }
  bool metered() const noexcept { return (bits & kMetered) != 0; }
  // What WorkerLine::admits is when anybody may come in that round: not metered, no permits.
  std::uint32_t freely_admitted() const noexcept { return 1U + static_cast<std::uint16_t>(bits >> 16); }
  std::uint32_t permits() const noexcept { return static_cast<std::uint32_t>(bits >> 24) & Gate::kPermitsMax; }

  WorkerLoad listed_at(std::uint32_t list) const noexcept { return {(bits & ~kList) | std::uint64_t{list} << 32}; }
  WorkerLoad with(const Gate& gate) const noexcept {
    return {(bits & ~kGate) | (gate.metered ? kMetered : 0) | std::uint64_t{gate.permits} << 24 |
            std::uint64_t{gate.round} << 16};
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
  std::atomic<std::uint32_t> bound{0};   // slots and look-ahead, 16 bits; may shrink below outstanding
  std::atomic<std::uint32_t> admits{0};  // 1 + the round of its gate; 0: draining or gone

  WorkerPace pace;  // Written by: core loops, with `load`.

  // Written by: control. skills: before its session, null where it has one action; good as long as a core holds a slot.
  // skills_out: a bit for each action whose breaker is not closed; stored before a core is told of the worker's next
  // round, so who is in that round sees it.
  SkillBoard* skills = nullptr;
  std::atomic<std::uint16_t> skills_out{0};

  // Where it is in the index of its pool. Written by: control, before any core is told of the worker, and after all
  // have let go of it. null: nowhere.
  std::uint32_t place = 0;
  LoadLeaf* leaf = nullptr;

  std::uint32_t outstanding() const noexcept { return WorkerLoad{load.load(std::memory_order_relaxed)}.outstanding(); }
  SessionId owner() const noexcept { return {session.load(std::memory_order_acquire)}; }
  // The gate's, of a worker that is up. Control.
  GateRound round() const noexcept { return static_cast<GateRound>(admits.load(std::memory_order_relaxed) - 1); }
  // Whether what a task of that round comes to says anything of the worker as it is now.
  bool in_round(std::uint16_t round) const noexcept { return admits.load(std::memory_order_relaxed) == 1U + round; }
  // The same, and tasks come in without permits.
  bool admits_freely_in(std::uint16_t round) const noexcept {
    return in_round(round) && !WorkerLoad{load.load(std::memory_order_relaxed)}.metered();
  }
  bool is_out(SkillId skill) const noexcept {
    return (skills_out.load(std::memory_order_relaxed) >> raw(skill) & 1U) != 0;
  }
  // No acquire for that owner succeeds at it or above; 0 while nobody may have new tasks of it.
  std::uint32_t limit(SessionId owner, WorkerLoad seen) const noexcept {
    if (!owner) return 0;
    const std::uint32_t most =
        bound.load(std::memory_order_relaxed) + (planted(PlantedBug::kAcceptOverBound) ? 1U : 0U);
    if (admits.load(std::memory_order_relaxed) == seen.freely_admitted()) [[likely]]
      return most;
    if (planted(PlantedBug::kRouteToDraining) && admits.load(std::memory_order_relaxed) == 0) return most;
    return seen.metered() && in_round(seen.round()) ? std::min(most, seen.outstanding() + seen.permits()) : 0;
  }
  std::uint32_t limit(SessionId owner) const noexcept { return limit(owner, {load.load(std::memory_order_acquire)}); }
  // The word that says so, and at which level it is: `next` is below that limit or not.
  WorkerLoad listing(WorkerLoad next, std::uint32_t limit) const noexcept {
    const std::uint32_t held = next.outstanding();
    return next.listed_at(held < limit && leaf != nullptr ? 1 + level_of(held) : WorkerLoad::kUnlisted);
  }
};

static_assert(sizeof(WorkerLine) == kCacheLineBytes && alignof(WorkerLine) == kCacheLineBytes);

class WorkerTable {
 public:
  // cores: how many call the functions below. One alone needs no locked instruction.
  WorkerTable(std::uint32_t capacity, std::uint32_t cores)
      : lines_(capacity), capacity_(capacity), alone_(cores == 1) {}

  // Takes a slot of the worker, for the session that is returned, in that round of its gate; none when it is full,
  // draining, gone or shut.
  SessionId try_acquire(WorkerId id, std::uint16_t& round) noexcept {
    WorkerLine& line = (*this)[id];
    WorkerLoad seen{line.load.load(std::memory_order_acquire)};
    for (;;) {
      const SessionId owner = line.owner();
      const std::uint32_t limit = line.limit(owner, seen);
      if (seen.outstanding() >= limit) break;
      if (seen.metered()) [[unlikely]]
        return try_acquire_metered(line, seen, round);
      round = seen.round();
      if (change(line, seen, line.listing({seen.bits + WorkerLoad::kOne}, limit))) return owner;
    }
    relist(line, seen, 0, nullptr);
    return {};
  }
  SessionId try_acquire(WorkerId id) noexcept {
    std::uint16_t round = kNoRound;
    return try_acquire(id, round);
  }

  // Gives back what try_acquire took, in which round; kNoRound: the permit is used up. The line is not reused for
  // another session until every shard has ended the old one, so a slot never returns to a stranger.
  void release(WorkerId id, std::uint16_t round = kNoRound) noexcept {
    WorkerLine& line = (*this)[id];
    WorkerLoad seen{line.load.load(std::memory_order_acquire)};
    WorkerLoad next;
    do {
      DCHECK(seen.outstanding() > 0);
      if (seen.metered()) [[unlikely]]
        return release_metered(line, seen, round);
      next.bits = seen.bits - WorkerLoad::kOne;
      next = line.listing(next, line.limit(line.owner(), next));
    } while (!change(line, seen, next));
  }

  // After control changed the line: the index follows. The new version makes every core look again that has read the
  // older values and not used them yet.
  void refresh(WorkerId id) noexcept {
    WorkerLine& line = (*this)[id];
    relist(line, {line.load.load(std::memory_order_acquire)}, WorkerLoad::kVersion, nullptr);
    if (line.leaf != nullptr) line.leaf->index->rise(alone_);
  }

  // The same, and the gate is as control says from now on, unless it has begun another round meanwhile.
  void set_gate(WorkerId id, const Gate& gate) noexcept {
    WorkerLine& line = (*this)[id];
    relist(line, {line.load.load(std::memory_order_acquire)}, WorkerLoad::kVersion, &gate);
  }

  WorkerLine& operator[](WorkerId id) noexcept {
    DCHECK(raw(id) < capacity_);
    return lines_[raw(id)];
  }
  const WorkerLine& operator[](WorkerId id) const noexcept {
    DCHECK(raw(id) < capacity_);
    return lines_[raw(id)];
  }
  void prefetch(WorkerId id) const noexcept { prefetch_to_write(&(*this)[id]); }
  // Where it is listed, by its line.
  void prefetch_listing(WorkerId id) const noexcept {
    const WorkerLine& line = (*this)[id];
    if (line.leaf != nullptr) line.leaf->prefetch(line.place % kLoadFanOut);
  }
  std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  // While tasks take permits: of a worker that does not answer well, so not in anybody's way.
  SessionId try_acquire_metered(WorkerLine& line, WorkerLoad seen, std::uint16_t& round) noexcept;
  void release_metered(WorkerLine& line, WorkerLoad seen, std::uint16_t round) noexcept;

  // False when another core was faster; `seen` is then what it left.
  // The instruction that compares has a copy: what it is given lies in memory, and `seen` stays in a register.
  bool change(WorkerLine& line, WorkerLoad& seen, WorkerLoad next) noexcept {
    if (alone_) {
      line.load.store(next.bits, std::memory_order_relaxed);
    } else if (std::uint64_t left = seen.bits; !line.load.compare_exchange_weak(
                   left, next.bits, std::memory_order_acq_rel, std::memory_order_acquire)) {
      seen.bits = left;
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

  // The line as it is, no more and no less: a bit that a change of control's left behind goes, or comes. Out of line:
  // who finds a worker with room would keep registers for it.
  [[gnu::noinline]] void relist(WorkerLine& line, WorkerLoad seen, std::uint64_t version, const Gate* gate) noexcept {
    WorkerLoad next;
    do {
      next = gate != nullptr ? seen.with(*gate) : seen;
      next = line.listing(next, line.limit(line.owner(), next));
      next.bits += version;
    } while (next.bits != seen.bits && !change(line, seen, next));
  }

  LargeArray<WorkerLine> lines_;
  std::uint32_t capacity_;
  bool alone_;
};

}  // namespace mcplane::state
