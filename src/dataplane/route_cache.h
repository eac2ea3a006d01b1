// Selectors (action, model, tags) this shard has seen, each resolved to pools of the current snapshot, and the tasks
// that wait for one of them. 4-way set-associative, keyed SipHash: a selector is looked up without allocation and a
// peer that invents selectors costs a bounded walk, never memory. Owner: the shard's core.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "base/types.h"
#include "dataplane/held_frames.h"
#include "dataplane/route_name.h"
#include "state/counters.h"
#include "state/inspection.h"
#include "state/route_snapshot.h"
#include "state/waiting_board.h"
#include "wire/header.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {

// How fast those who wait get their turns. A mean over the last 16 or so.
struct Pace {
  std::uint64_t waiting_since_ns = 0;  // somebody waits, without a break
  std::uint64_t last_ns = 0;           // a turn, or the first who waits
  std::uint32_t interval_ns = 0;       // between turns
  std::uint8_t turns = 0;              // up to kEnough

  static constexpr std::uint8_t kEnough = 16;
  static constexpr std::uint64_t kIntervalNsMax = kNsPerSecond;

  bool known() const noexcept { return turns == kEnough; }
  void on_first(std::uint64_t now_ns) noexcept { waiting_since_ns = last_ns = now_ns; }
  void on_turn(std::uint64_t now_ns) noexcept {
    const auto gap_ns = static_cast<std::int64_t>(std::min(now_ns - last_ns, kIntervalNsMax));
    last_ns = now_ns;
    if (!known()) ++turns;
    interval_ns = static_cast<std::uint32_t>(interval_ns + (gap_ns - interval_ns) / turns);
  }
};

// Of the current snapshot.
struct ServingPools {
  std::uint32_t count = 0;
  state::RouteSnapshot::PoolList pools{};
  std::array<SkillId, state::RouteSnapshot::kPoolsPerRoute> skills{};  // of each, which action it is
};

struct RouteEntry {
  static constexpr std::size_t kKeyBytesMax = state::Selector::kBytesMax;

  std::uint64_t hash = 0;
  std::uint64_t generation = 0;  // of the snapshot the pools belong to
  std::uint32_t last_used = 0;   // look-up count, for eviction
  std::uint32_t claimed = 0;     // number of the claim that made it this selector's; 0: nobody's
  RouteName name;
  std::uint16_t key_length = 0;        // 0: entry is empty
  std::uint16_t waiting_position = 0;  // in RouteCache's list, while tasks are in the lines
  bool shadow = false;
  bool limited = false;                        // its tasks count for limits, of each client or of its route
  bool checked = false;                        // they may not come just so: limited, or shadow
  std::uint8_t action = state::kOtherActions;  // in whose books they are
  ServingPools own;
  state::RouteRule rule;
  std::uint32_t rotor = 0;  // where the next search for a worker starts in its pool
  std::uint32_t turn = 0;   // and in which pool
  std::array<std::uint32_t, state::RouteSnapshot::kPoolsPerRoute> turns{};  // kWeighted: of each pool, taken
  ServingPools stand_ins;                                                   // of the fallback, where the rule has one
  WaitingLines lines;
  std::uint64_t home = 0;  // Pool::key of the first of its pools; 0: none, or it is of shadow tasks
  Pace pace;
  // Where copies of its tasks go (mirror.h), where its rule asks for any.
  struct Mirror {
    std::uint32_t due = 0;  // of state::kMirrorWhole: at that, the next copy
    ServingPools pools;
    std::uint32_t rotor = 0;
  } mirror;
  std::array<std::byte, kKeyBytesMax> key;  // laid out as a state::Selector
};

class RouteCache {
 public:
  static constexpr std::uint32_t kWays = 4;

  // capacity: selectors, rounded up to a power of two, at most 65,536. board: where it says who waits, if anywhere; of
  // so many places at least, and outlives it.
  RouteCache(std::uint32_t capacity, const SipKey& key, const state::WaitingBoard* board = nullptr);

  // The entry of a selector, resolved against `snapshot`; made when it is new, in the place of the set's longest
  // unused entry without waiting tasks. Null when all of the set have tasks waiting.
  // shadow: of shadow tasks, which have entries of their own.
  RouteEntry* find(const wire::RouteView& selector, const state::RouteSnapshot& snapshot, bool shadow = false) noexcept;

  // The same for a route table's bytes that remember() has seen, which is to say for nearly every SEND: verified then,
  // and only compared now. Null when they are not remembered. hint: the caller's, 0 at first: where its last one was.
  RouteEntry* recall(std::span<const std::byte> table, const state::RouteSnapshot& snapshot, std::uint8_t& hint,
                     bool shadow = false) noexcept;
  void remember(std::span<const std::byte> table, const RouteEntry& entry) noexcept;

  std::uint16_t index_of(const RouteEntry& entry) const noexcept {
    return static_cast<std::uint16_t>(&entry - entries_.get());
  }
  RouteEntry& operator[](std::uint16_t index) noexcept { return entries_[index]; }
  std::uint32_t capacity() const noexcept { return sets_ * kWays; }
  // Null when the entry has become another selector's, or nobody's.
  const RouteEntry* find(RouteName name) const noexcept;
  // Empty then.
  std::string_view action_of(RouteName name) const noexcept;

  // Entries with waiting tasks, in no order. add_waiting() follows each frame that joins an entry's lines,
  // remove_waiting() each that leaves them; both keep the board.
  const std::vector<std::uint16_t>& waiting() const noexcept { return waiting_; }
  void add_waiting(RouteEntry& entry) noexcept;
  void remove_waiting(RouteEntry& entry) noexcept;

  // The entry, with its pools brought up to date by the selector kept in its key.
  RouteEntry* refresh(RouteEntry& entry, const state::RouteSnapshot& snapshot) noexcept {
    return entry.generation == snapshot.generation ? &entry : resolve(entry, snapshot);
  }

 private:
  // A table that was verified, and whose it is. Two lines; longer tables, and shorter ones than any that names an
  // action, are verified each time.
  struct alignas(kCacheLineBytes) Memo {
    static constexpr std::size_t kBytesMin = 16, kBytesMax = 120;
    static constexpr std::uint16_t kFree = 0xffff;  // no stamp_of() anything

    std::uint32_t claimed = 0;  // of the entry, which may have become another selector's since
    std::uint16_t entry = 0;
    std::uint16_t stamp = kFree;  // stamp_of() the table
    std::array<std::byte, kBytesMax> bytes;
  };
  static_assert(sizeof(Memo) == 2 * kCacheLineBytes);
  static constexpr std::size_t kMemos = 256;  // what a hint can name

  RouteEntry* claim(std::uint64_t hash) noexcept;
  void post(const RouteEntry& entry) noexcept;
  RouteEntry* resolve(RouteEntry& entry, const state::RouteSnapshot& snapshot) noexcept;
  // Its length, a multiple of 4, and what kind of task it came with.
  static std::uint16_t stamp_of(std::span<const std::byte> table, bool shadow) noexcept {
    return static_cast<std::uint16_t>(table.size() | (shadow ? 1U : 0U));
  }
  static std::uint8_t memo_of(std::span<const std::byte> table, bool shadow) noexcept;
  bool holds(const Memo& memo, std::span<const std::byte> table, std::uint16_t stamp) const noexcept;
  RouteEntry* use(RouteEntry& entry, const state::RouteSnapshot& snapshot) noexcept;
  // recall() where the hint does not help. Out of line, as resolve(): a call that comes last keeps no registers.
  [[gnu::noinline]] RouteEntry* recall_slowly(std::span<const std::byte> table, const state::RouteSnapshot& snapshot,
                                              std::uint8_t& hint, bool shadow) noexcept;

  SipKey key_;
  const state::WaitingBoard* board_;
  std::uint32_t sets_;
  std::uint32_t clock_ = 0, claims_ = 0;
  std::unique_ptr<RouteEntry[]> entries_;
  std::vector<std::uint16_t> waiting_;  // capacity reserved at start
  std::unique_ptr<Memo[]> memos_;
  RouteEntry* last_ = nullptr;  // most traffic repeats its selector: compared before hashing
};

}  // namespace mcplane::dataplane
