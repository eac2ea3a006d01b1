// See running_tasks.h. A location is in the index once for each of its generations that runs: hardly ever twice.
#include "client/running_tasks.h"

#include "base/check.h"

namespace mcplane::client {

RunningTasks::RunningTasks(std::size_t capacity) : records_(capacity), index_(capacity) {
  CHECK(capacity > 0 && capacity < (1U << 30));
  free_.reserve(capacity);
  clear();
}

void RunningTasks::clear() noexcept {
  index_.clear();
  free_.clear();
  for (std::size_t i = records_.size(); i > 0; --i) free_.push_back(static_cast<std::uint32_t>(i - 1));
}

RunningTask* RunningTasks::find(TaskToken token, std::uint8_t attempt) noexcept {
  const std::uint32_t found = index_.find(token.location, [&](std::uint32_t record) {
    const wire::Header& route = records_[record].route;
    return wire::token_of(route) == token && route.attempt() == attempt;
  });
  return found == RecordIndex::kNone ? nullptr : &records_[found];
}

RunningTask* RunningTasks::try_insert(const wire::Header& route) noexcept {
  if (free_.empty()) return nullptr;
  const std::uint32_t record = free_.back();
  free_.pop_back();
  index_.insert(route.token_index(), record);
  records_[record].route = route;
  records_[record].ack_owed = false;
  return &records_[record];
}

void RunningTasks::erase(const RunningTask* task) noexcept {
  const std::uint32_t record = record_of(*task);
  index_.erase(task->route.token_index(), record);
  free_.push_back(record);
}

}  // namespace mcplane::client
