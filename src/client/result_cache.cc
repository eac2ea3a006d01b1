// RESULTs lie in places of one size, written in rotation; only a repeated ROUTE looks through them.
#include "client/result_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/prefetch.h"

namespace mcplane::client {

namespace {

constexpr std::size_t kResultsMin = 8;
constexpr std::size_t kFinishedMin = 256;

}  // namespace

ResultCache::ResultCache(std::size_t tasks, std::size_t datagram_bytes_max)
    : place_bytes_((datagram_bytes_max + 15) / 16 * 16) {
  const std::size_t places = std::min({std::max(tasks, kResultsMin), kResultsMax, kBytesMax / place_bytes_});
  kept_.resize(places);
  storage_ = std::make_unique_for_overwrite<std::byte[]>(places * place_bytes_);
  finished_.resize(std::bit_ceil(std::max(4 * tasks, kFinishedMin)));
}

// Slots of one shard differ in the low bits; the shard number is folded onto them.
std::size_t ResultCache::entry_of(TaskToken token) const noexcept {
  const std::size_t mixed = token.index() ^ (std::size_t{raw(token.shard())} * 0x9e3779b1U >> 8);
  return mixed & (finished_.size() - 1);
}

bool ResultCache::finished(TaskToken token, std::uint8_t attempt) const noexcept {
  const Finished& entry = finished_[entry_of(token)];
  if (entry.attempt == 0 || entry.token.location != token.location) return false;
  const auto ahead = static_cast<std::int32_t>(token.generation - entry.token.generation);
  return ahead < 0 || (ahead == 0 && attempt <= entry.attempt);
}

void ResultCache::mark_finished(TaskToken token, std::uint8_t attempt) noexcept {
  if (!finished(token, attempt)) finished_[entry_of(token)] = {token, attempt};
}

void ResultCache::keep(TaskToken token, std::uint8_t attempt, std::span<const std::byte> datagram) noexcept {
  DCHECK(datagram.size() <= place_bytes_);
  kept_[next_] = {token, attempt, static_cast<std::uint32_t>(datagram.size())};
  std::memcpy(storage_.get() + next_ * place_bytes_, datagram.data(), datagram.size());
  next_ = next_ + 1 == kept_.size() ? 0 : next_ + 1;
}

const ResultCache::Kept* ResultCache::find_kept(TaskToken token, std::uint8_t attempt) const noexcept {
  const auto found =
      std::ranges::find_if(kept_, [&](const Kept& kept) { return kept.token == token && kept.attempt == attempt; });
  return found == kept_.end() ? nullptr : &*found;
}

std::span<const std::byte> ResultCache::find(TaskToken token, std::uint8_t attempt) const noexcept {
  const Kept* kept = find_kept(token, attempt);
  if (kept == nullptr) return {};
  return {storage_.get() + static_cast<std::size_t>(kept - kept_.data()) * place_bytes_, kept->length};
}

void ResultCache::drop(TaskToken token, std::uint8_t attempt) noexcept {
  if (const Kept* kept = find_kept(token, attempt)) kept_[static_cast<std::size_t>(kept - kept_.data())] = {};
}

void ResultCache::prefetch(TaskToken token, std::size_t datagram_bytes) const noexcept {
  prefetch_to_write(&finished_[entry_of(token)]);
  prefetch_to_write(&kept_[next_]);
  const std::byte* const place = storage_.get() + next_ * place_bytes_;
  for (std::size_t line = 0; line < std::min(datagram_bytes, place_bytes_); line += kCacheLineBytes)
    prefetch_to_write(place + line);
}

void ResultCache::clear() noexcept {
  std::ranges::fill(kept_, Kept{});
  std::ranges::fill(finished_, Finished{});
}

}  // namespace mcplane::client
