// See answer_cache.h.
#include "dataplane/answer_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "base/check.h"
#include "base/planted_bug.h"

namespace mcplane::dataplane {
namespace {

// An answer and its record take some hundred bytes: with a place for so many of the log, neither waits for the other.
constexpr std::size_t kBytesPerPlace = 256;

// Records lie where their fields can be read.
constexpr std::size_t rounded(std::size_t bytes) noexcept { return (bytes + 7) & ~std::size_t{7}; }

}  // namespace

// Pages that nobody wrote to are all zeros, and not there yet.
template <class T>
AnswerCache::Zeroed<T> AnswerCache::zeroed(std::size_t count) {
  if (count == 0) return {};
  Zeroed<T> array(static_cast<T*>(std::calloc(count, sizeof(T))));
  if (array == nullptr) throw std::bad_alloc();
  return array;
}

AnswerCache::AnswerCache(std::size_t bytes, std::uint32_t tasks, const SipKey& key) : key_(key) {
  if (bytes < kBytesMin) return;
  sets_ = std::bit_floor(bytes / (kWays * kBytesPerPlace));
  log_bytes_ = (bytes - sets_ * kWays * sizeof(Place)) & ~std::size_t{7};
  log_ = zeroed<std::byte>(log_bytes_);
  index_ = zeroed<Place>(sets_ * kWays);
  expected_ = zeroed<Question>(tasks);
  end_ = log_bytes_;  // the first position that is none
}

Question AnswerCache::question_of(std::uint64_t selector, std::span<const std::byte> payload) const noexcept {
  if (planted(PlantedBug::kCacheBySelector)) return selector;
  return siphash24({key_[0] ^ selector, key_[1]}, payload);
}

void AnswerCache::store(Question question, std::span<const std::byte> answer, std::uint64_t now_ns) noexcept {
  if (!keeps_any() || answer.size() > kAnswerBytesMax) return;
  const std::size_t bytes = sizeof(Record) + rounded(answer.size());
  // In one piece: what is left at the log's end stays empty.
  std::uint64_t position = end_;
  if (const std::size_t left = log_bytes_ - position % log_bytes_; left < bytes) position += left;
  const Record record{question, now_ns, answer.size()};
  std::memcpy(at(position), &record, sizeof record);
  if (!answer.empty()) std::memcpy(at(position) + sizeof record, answer.data(), answer.size());
  end_ = position + bytes;

  Place* const set = set_of(question);
  Place* place = std::find_if(set, set + kWays, [&](const Place& other) { return other.question == question; });
  if (place == set + kWays)
    place = std::min_element(set, set + kWays, [](const Place& a, const Place& b) { return a.position < b.position; });
  *place = {question, position};
}

std::optional<std::span<const std::byte>> AnswerCache::find(Question question, std::uint64_t since_ns) const noexcept {
  if (!keeps_any()) return std::nullopt;
  const Place* const set = set_of(question);
  const Place* const place =
      std::find_if(set, set + kWays, [&](const Place& other) { return other.question == question; });
  if (place == set + kWays || !is_whole(place->position)) return std::nullopt;
  Record record;
  std::memcpy(&record, at(place->position), sizeof record);
  DCHECK(record.question == question);
  if (record.stored_ns < since_ns) return std::nullopt;
  return std::span<const std::byte>(at(place->position) + sizeof record, record.length);
}

}  // namespace mcplane::dataplane
