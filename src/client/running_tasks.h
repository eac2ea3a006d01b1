// A worker's tasks between ROUTE and RESULT, found by token and attempt. A fixed pool of records; no allocation after
// construction. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/prefetch.h"
#include "base/types.h"
#include "client/record_index.h"
#include "wire/address.h"
#include "wire/header.h"

namespace mcplane::client {

struct RunningTask {
  wire::Header route;      // its RESULT is made from it
  wire::Endpoint from;     // where the RESULT goes
  bool ack_owed = false;   // its ROUTE has not been acknowledged
  bool cancelled = false;  // nobody waits for its answer
  bool streams = false;    // part of its answer was given
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
    index_.prefetch(token.location);
    if (free_.empty()) return;
    const auto* const record = reinterpret_cast<const std::byte*>(&records_[free_.back()]);
    for (std::size_t line = 0; line < sizeof(RunningTask); line += kCacheLineBytes) prefetch_to_write(record + line);
  }
  // Of find() or try_insert().
  void erase(const RunningTask* task) noexcept;
  void clear() noexcept;
  bool full() const noexcept { return free_.empty(); }
  std::size_t size() const noexcept { return records_.size() - free_.size(); }
  std::size_t capacity() const noexcept { return records_.size(); }

  // Names a running task until its erase().
  std::uint32_t record_of(const RunningTask& task) const noexcept {
    return static_cast<std::uint32_t>(&task - records_.data());
  }
  RunningTask& at(std::uint32_t record) noexcept { return records_[record]; }

 private:
  std::vector<RunningTask> records_;
  std::vector<std::uint32_t> free_;
  RecordIndex index_;  // by token.location
};

}  // namespace mcplane::client
