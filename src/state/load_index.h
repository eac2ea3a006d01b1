// Which workers of one pool have room, by how loaded they are, so that a core finds the least loaded one without
// looking at the others: for each level of load a tree of bitmaps, 64 children a node, as high as the pool needs.
//
// Levels are exact below 8 tasks outstanding, then powers of two: 8-15, 16-31, ... 32,768-65,535. A worker without room
// is at none. A node's word of a level has a bit for each child that has a worker there, and one word more says at
// which levels it has any.
//
// Cores share it without locks. A worker's line (worker_table.h) says at which level its bit is, and decides; a bit is
// a hint, which lags while a core is between the two. No bit stays wrong. A change of the line moves the bit by XOR:
// changes of one line are ordered, XORs commute. A bit that says whether a word is empty, a node's own or a child's, is
// written from what that word is, and the word is read again afterwards.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/prefetch.h"
#include "base/types.h"

namespace mcplane::state {

struct WorkerLine;
class LoadIndex;

inline constexpr std::uint32_t kExactLoads = 8;
inline constexpr std::uint32_t kLoadLevels = 21;  // bounds are 16 bits wide
inline constexpr std::uint32_t kLoadFanOut = 64;
inline constexpr std::uint32_t kDigitBits = 6;  // of a place, a level of the tree
static_assert(1U << kDigitBits == kLoadFanOut);

constexpr std::uint32_t level_of(std::uint32_t outstanding) noexcept {
  return outstanding < kExactLoads ? outstanding : 4 + static_cast<std::uint32_t>(std::bit_width(outstanding));
}
static_assert(level_of(kExactLoads) == kExactLoads && level_of(0xffff) == kLoadLevels - 1);

struct alignas(kCacheLineBytes) LoadNode {
  // Written by: control. parent is set once, when the tree grows above this node, and is read after the words.
  std::atomic<LoadNode*> parent{nullptr};
  LoadIndex* index = nullptr;
  std::uint8_t height = 1;  // 1: a leaf
  std::uint8_t digit = 0;   // which child of its parent

  // Written by: core loops, as the words: a bit for each that is not 0.
  std::atomic<std::uint32_t> levels{0};
  // Written by: core loops. The lowest levels, which change most, are in the first cache line, with the parent that is
  // told when they empty.
  // RMWs and loads that follow the second rule above are sequentially consistent; a release RMW that sets a bit pairs
  // with the acquire load that finds it, so who finds a worker sees its place.
  std::array<std::atomic<std::uint64_t>, kLoadLevels> words{};
};

static_assert(sizeof(LoadNode) == 3 * kCacheLineBytes && kLoadLevels < 32);

struct LoadLeaf : LoadNode {
  // Written by: control, before the bit of that place is set for the first time. Relaxed: the bits order them.
  std::array<std::atomic<WorkerId>, kLoadFanOut> workers{};

  WorkerId worker(std::uint32_t child) const noexcept { return workers[child].load(std::memory_order_relaxed); }
  // For whoever moves that child's bit, and whoever finds it then.
  void prefetch(std::uint32_t child) const noexcept {
    prefetch_to_write(this);
    prefetch_to_read(&workers[child]);
  }
};

static_assert(sizeof(LoadLeaf) == 7 * kCacheLineBytes);

struct LoadInner : LoadNode {
  std::array<std::atomic<LoadNode*>, kLoadFanOut> children{};  // Written by: control, as above.
};

struct DeleteNode {
  void operator()(LoadNode* node) const noexcept {
    node->height == 1 ? delete static_cast<LoadLeaf*>(node) : delete static_cast<LoadInner*>(node);
  }
};

class LoadIndex {
 public:
  static constexpr std::uint32_t kHeightMax = 3;  // 262,144 workers
  static constexpr std::uint32_t kNone = 0xffffffffU;
  // Its share of the nodes of a large pool.
  static constexpr std::size_t kBytesPerWorker =
      (sizeof(LoadLeaf) + sizeof(LoadInner) / (kLoadFanOut - 1)) / kLoadFanOut + 1;

  // Control. Gives the worker a place, the lowest that is free; no core knows the worker yet.
  void place(WorkerLine& line, WorkerId id);
  // Control, when every shard has let go of the worker.
  void vacate(WorkerLine& line);
  std::uint32_t placed() const noexcept { return placed_; }
  std::size_t bytes() const noexcept;
  // Workers that take new tasks, full or not. Relaxed: says only why none was found.
  std::atomic<std::uint32_t> admitting{0};  // Written by: control.
  // Of them, those whose breakers are closed: others only take probes.
  std::atomic<std::uint32_t> trusted{0};  // Written by: control.
  // Where breakers of single actions are not closed, kSkillsMax bits each: of which actions some worker is out; none
  // admits tasks; none is trusted. Relaxed: says only how to search, and why none was found.
  std::atomic<std::uint64_t> skills_out{0};  // Written by: control.
  static constexpr std::uint64_t skill_bit(std::uint32_t skill, std::uint32_t of) noexcept {
    return std::uint64_t{1} << (of * kSkillsMax + skill);
  }
  bool some_out(SkillId skill) const noexcept { return has(skill, 0); }
  // Somebody takes tasks of that action; tasks that are no probes.
  bool admits(SkillId skill) const noexcept { return admitting.load(std::memory_order_relaxed) > 0 && !has(skill, 1); }
  bool trusts(SkillId skill) const noexcept { return trusted.load(std::memory_order_relaxed) > 0 && !has(skill, 2); }
  // What those may hold together, and what they held when control last looked, some ms ago. Relaxed: figures for people
  // and for policies, nothing hangs on them.
  std::atomic<std::uint32_t> slots{0}, held{0};  // Written by: control.

  // Cores. `alone`: no other core ever writes, so no locked instruction is needed; the same in all calls.
  //
  // Some worker may be at the level.
  bool any(std::uint32_t level) const noexcept {
    return root_.load(std::memory_order_acquire)->words[level].load(std::memory_order_relaxed) != 0;
  }
  // The first level, from that one on, where some worker may be; kLoadLevels: none.
  std::uint32_t lowest(std::uint32_t level) const noexcept {
    const std::uint32_t levels = root_.load(std::memory_order_acquire)->levels.load(std::memory_order_relaxed);
    return static_cast<std::uint32_t>(std::countr_zero(levels >> level << level | 1U << kLoadLevels));
  }
  struct Found {
    std::uint32_t place = kNone;
    WorkerId worker = kNoWorker;
    // Those that follow it in its leaf, of a tree of several: who is found next, unless something changes.
    WorkerId next = kNoWorker, after_next = kNoWorker;
  };
  // The worker with room, at whatever level, whose place follows `from` next, round the end; `level` is its. Cost: as
  // find(), for each level where some worker is.
  struct Next : Found {
    std::uint32_t level = kLoadLevels;
  };
  Next next(std::uint32_t from) const noexcept;
  // The worker at the level whose place follows `from` next, round the end. Cost: one cache line a level of the tree.
  Found find(std::uint32_t level, std::uint32_t from) const noexcept {
    const LoadNode* node = root_.load(std::memory_order_acquire);
    const bool several_leaves = node->height > 1;
    std::uint32_t place = 0;
    from &= (1U << kDigitBits * node->height) - 1;
    for (std::uint32_t low = from, shift = kDigitBits * (node->height - 1);; shift -= kDigitBits) {
      const std::uint32_t start = low >> shift;
      const std::uint64_t word = node->words[level].load(std::memory_order_acquire) & (~std::uint64_t{0} << start);
      if (word == 0) return find_slowly(level, from);  // further on, or round the end
      const auto digit = static_cast<std::uint32_t>(std::countr_zero(word));
      place |= digit << shift;
      if (shift == 0) {
        const LoadLeaf& leaf = *static_cast<const LoadLeaf*>(node);
        Found found{place, leaf.worker(digit)};
        if (several_leaves) {
          const std::uint64_t behind = word & (word - 1), further = behind & (behind - 1);
          if (behind != 0) found.next = leaf.worker(static_cast<std::uint32_t>(std::countr_zero(behind)));
          if (further != 0) found.after_next = leaf.worker(static_cast<std::uint32_t>(std::countr_zero(further)));
        }
        return found;
      }
      low = digit == start ? low & ((1U << shift) - 1) : 0;
      const auto& children = static_cast<const LoadInner*>(node)->children;
      node = children[digit].load(std::memory_order_relaxed);
      // Where the search goes on next time, when nobody else is below this one.
      if (const std::uint64_t behind = word & (word - 1); behind != 0)
        prefetch_to_read(
            children[static_cast<std::uint32_t>(std::countr_zero(behind))].load(std::memory_order_relaxed));
    }
  }

  // Moves the worker's bit at its place in the leaf.
  static void flip(LoadLeaf& leaf, std::uint32_t level, std::uint64_t bit, bool alone) noexcept {
    std::atomic<std::uint64_t>& word = leaf.words[level];
    std::uint64_t after = 0;
    if (alone) {
      after = word.load(std::memory_order_relaxed) ^ bit;
      word.store(after, std::memory_order_relaxed);
    } else {
      after = word.fetch_xor(bit, std::memory_order_seq_cst) ^ bit;
    }
    // It has emptied, or is empty no longer.
    if ((after & ~bit) == 0) alone ? climb(leaf, level) : tell(leaf, level);
  }
  // After control placed a worker: when the tree has grown above the root that cores start from, they start higher.
  void rise(bool alone) noexcept;

 private:
  bool has(SkillId skill, std::uint32_t of) const noexcept {
    return (skills_out.load(std::memory_order_relaxed) & skill_bit(raw(skill), of)) != 0;
  }
  Found find_slowly(std::uint32_t level, std::uint32_t from) const noexcept;
  static void climb(LoadNode& node, std::uint32_t level) noexcept;
  static void tell(LoadNode& node, std::uint32_t level) noexcept;
  LoadLeaf& leaf_at(std::uint32_t place);
  LoadNode& add_node(std::uint32_t height);

  // Where cores start. Written by: core loops, in rise(). The release CAS pairs with the acquire loads: who starts
  // there sees the node's children; the first root is published with the snapshot.
  std::atomic<LoadNode*> root_{nullptr};

  // Control's.
  LoadNode* top_ = nullptr;              // root_, or above it until a core has risen
  std::uint32_t placed_ = 0, used_ = 0;  // places taken, and places ever taken
  std::vector<std::uint32_t> vacant_;    // below used_; a heap, the lowest first
  std::vector<std::unique_ptr<LoadNode, DeleteNode>> nodes_;
};

}  // namespace mcplane::state
