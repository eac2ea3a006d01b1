// See kept_results.h.
#include "client/kept_results.h"

namespace mcplane::client {

KeptResult& KeptResults::add(TaskToken token, std::uint8_t attempt, std::uint32_t number, std::size_t bytes) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(records_.size()));
    records_.emplace_back();
  }
  const std::uint32_t record = free_.back();
  free_.pop_back();
  by_number_.insert(number, record);
  by_token_.insert(token.location, record);
  KeptResult& kept = records_[record];
  kept.token = token;
  kept.number = number;
  kept.attempt = attempt;
  kept.listed = KeptResult::Listed::kNowhere;
  kept.datagram.prepare(bytes);
  bytes_ += bytes;
  return kept;
}

KeptResult* KeptResults::find(std::uint32_t number) noexcept {
  const std::uint32_t found = by_number_.find(number, [](std::uint32_t) { return true; });
  return found == RecordIndex::kNone ? nullptr : &records_[found];
}

KeptResult* KeptResults::find(TaskToken token, std::uint8_t attempt) noexcept {
  const std::uint32_t found = by_token_.find(token.location, [&](std::uint32_t record) {
    return records_[record].token == token && records_[record].attempt == attempt;
  });
  return found == RecordIndex::kNone ? nullptr : &records_[found];
}

void KeptResults::erase(const KeptResult& kept) noexcept {
  const std::uint32_t record = record_of(kept);
  by_number_.erase(kept.number, record);
  by_token_.erase(kept.token.location, record);
  bytes_ -= kept.datagram.bytes().size();
  free_.push_back(record);
}

void KeptResults::clear() noexcept {
  by_number_.clear();
  by_token_.clear();
  bytes_ = 0;
  free_.clear();
  for (std::size_t i = records_.size(); i > 0; --i) free_.push_back(static_cast<std::uint32_t>(i - 1));
}

}  // namespace mcplane::client
