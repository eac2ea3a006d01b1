// A worker's tasks between ROUTE and RESULT, found by token and attempt: records in a fixed pool, and an
// open-addressing index over them keyed by token.location. No allocation after construction. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/prefetch.h"
#include "base/types.h"
#include "wire/address.h"
#include "wire/header.h"

namespace mcplane::client {

struct RunningTask {
  wire::Header route;   // its RESULT is made from it
  wire::Endpoint from;  // where the RESULT goes
  std::uint64_t started_ns = 0;
};

class RunningTasks {
 public:
  explicit RunningTasks(std::size_t capacity);

  RunningTask* find(TaskToken token, std::uint8_t attempt) noexcept;
  // route is not among the running ones. nullptr when full.
  RunningTask* try_insert(const wire::Header& route) noexcept;
  // The index entry of find(), and the record that try_insert() will take.
  void prefetch(TaskToken token) const noexcept {
    prefetch_to_write(&index_[home_of(token.location)]);
    if (free_.empty()) return;
    const auto* const record = reinterpret_cast<const std::byte*>(&records_[free_.back()]);
    for (std::size_t line = 0; line < sizeof(RunningTask); line += kCacheLineBytes) prefetch_to_write(record + line);
  }
  // Of find() or try_insert().
  void erase(const RunningTask* task) noexcept;
  void clear() noexcept;
  std::size_t size() const noexcept { return records_.size() - free_.size(); }

 private:
  static constexpr std::uint32_t kEmpty = 0;  // else record + 1

  std::size_t home_of(std::uint32_t location) const noexcept { return (location * 0x9e3779b1U) >> shift_; }
  std::size_t next(std::size_t place) const noexcept { return (place + 1) & (index_.size() - 1); }
  RunningTask& at(std::size_t place) noexcept { return records_[index_[place] - 1]; }

  std::vector<RunningTask> records_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> index_;  // a power of two, at most half full
  std::uint32_t shift_;
};

}  // namespace mcplane::client
