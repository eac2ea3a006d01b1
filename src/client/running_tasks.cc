// Linear probing with backward-shift deletion (Knuth, TAOCP 3, 6.4, algorithm R): no tombstones to sweep.
#include "client/running_tasks.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace mcplane::client {

RunningTasks::RunningTasks(std::size_t capacity)
    : records_(capacity),
      index_(std::bit_ceil(2 * capacity), kEmpty),
      shift_(static_cast<std::uint32_t>(32 - std::countr_zero(index_.size()))) {
  CHECK(capacity > 0 && capacity < (1U << 30));
  free_.reserve(capacity);
  clear();
}

void RunningTasks::clear() noexcept {
  std::fill(index_.begin(), index_.end(), kEmpty);
  free_.clear();
  for (std::size_t i = records_.size(); i > 0; --i) free_.push_back(static_cast<std::uint32_t>(i - 1));
}

RunningTask* RunningTasks::find(TaskToken token, std::uint8_t attempt) noexcept {
  for (std::size_t place = home_of(token.location); index_[place] != kEmpty; place = next(place)) {
    RunningTask& task = at(place);
    if (wire::token_of(task.route) == token && task.route.attempt() == attempt) return &task;
  }
  return nullptr;
}

RunningTask* RunningTasks::try_insert(const wire::Header& route) noexcept {
  if (free_.empty()) return nullptr;
  const std::uint32_t record = free_.back();
  free_.pop_back();
  std::size_t place = home_of(route.token_index());
  while (index_[place] != kEmpty) place = next(place);
  index_[place] = record + 1;
  records_[record].route = route;
  return &records_[record];
}

void RunningTasks::erase(const RunningTask* task) noexcept {
  const auto record = static_cast<std::uint32_t>(task - records_.data());
  std::size_t hole = home_of(task->route.token_index());
  while (index_[hole] != record + 1) hole = next(hole);
  // Close the hole with any later entry of the run whose home is not behind it.
  for (std::size_t place = next(hole); index_[place] != kEmpty; place = next(place)) {
    const std::size_t home = home_of(at(place).route.token_index());
    const std::size_t mask = index_.size() - 1;
    if (((place - home) & mask) < ((place - hole) & mask)) continue;
    index_[hole] = index_[place];
    hole = place;
  }
  index_[hole] = kEmpty;
  free_.push_back(record);
}

}  // namespace mcplane::client
