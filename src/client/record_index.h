// Finds records kept elsewhere by a 32-bit key, which several may share: linear probing with backward-shift deletion
// (Knuth, TAOCP 3, 6.4, algorithm R), so no tombstones to sweep. A probe looks at no record whose key differs. Grows by
// doubling, never shrinks. One thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/prefetch.h"

namespace mcplane::client {

class RecordIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffffU;

  // Room for that many records without growing.
  explicit RecordIndex(std::size_t capacity = 0) { rebuild(std::bit_ceil(2 * capacity + kEntriesMin)); }

  // The record of this key that `matches(record)`; kNone when there is none.
  template <class Matches>
  std::uint32_t find(std::uint32_t key, Matches&& matches) const noexcept {
    for (std::size_t place = home_of(key); entries_[place].record != kNone; place = next(place))
      if (entries_[place].key == key && matches(entries_[place].record)) return entries_[place].record;
    return kNone;
  }
  void insert(std::uint32_t key, std::uint32_t record) {
    if (2 * (size_ + 1) > entries_.size()) rebuild(2 * entries_.size());
    place_entry({key, record});
    ++size_;
  }
  // It was inserted.
  void erase(std::uint32_t key, std::uint32_t record) noexcept {
    std::size_t hole = home_of(key);
    while (entries_[hole].record != record) hole = next(hole);
    // Close the hole with any later entry of the run whose home is not behind it.
    for (std::size_t place = next(hole); entries_[place].record != kNone; place = next(place)) {
      const std::size_t home = home_of(entries_[place].key);
      const std::size_t mask = entries_.size() - 1;
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      entries_[hole] = entries_[place];
      hole = place;
    }
    entries_[hole] = {};
    --size_;
  }
  void clear() noexcept {
    for (Entry& entry : entries_) entry = {};
    size_ = 0;
  }
  void prefetch(std::uint32_t key) const noexcept { prefetch_to_write(&entries_[home_of(key)]); }

 private:
  static constexpr std::size_t kEntriesMin = 8;

  struct Entry {
    std::uint32_t key = 0;
    std::uint32_t record = kNone;
  };

  std::size_t home_of(std::uint32_t key) const noexcept { return (key * 0x9e3779b1U) >> shift_; }
  std::size_t next(std::size_t place) const noexcept { return (place + 1) & (entries_.size() - 1); }
  void place_entry(const Entry& entry) noexcept {
    std::size_t place = home_of(entry.key);
    while (entries_[place].record != kNone) place = next(place);
    entries_[place] = entry;
  }
  void rebuild(std::size_t entries) {
    const auto old = std::exchange(entries_, std::vector<Entry>(entries));
    shift_ = static_cast<std::uint32_t>(32 - std::countr_zero(entries));
    for (const Entry& entry : old)
      if (entry.record != kNone) place_entry(entry);
  }

  std::vector<Entry> entries_;  // a power of two, at most half full
  std::size_t size_ = 0;
  std::uint32_t shift_ = 0;
};

}  // namespace mcplane::client
