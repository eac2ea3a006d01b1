// A selector is hashed and compared as one flat key: the kind of task, then each name behind a byte that holds its
// length.
#include "dataplane/route_cache.h"

#include <immintrin.h>

#include <bit>
#include <cstring>

#include "base/check.h"
#include "dataplane/task_table.h"

namespace mcplane::dataplane {
namespace {

struct SelectorKey {
  std::array<std::byte, RouteEntry::kKeyBytesMax> bytes;
  std::size_t length = 0;

  SelectorKey(const wire::RouteView& selector, bool shadow) noexcept {
    bytes[length++] = std::byte{shadow};
    append(selector.action);
    append(selector.model);
    for (const std::string_view tag : selector.tag_list()) append(tag);
  }
  bool is(const RouteEntry& entry) const noexcept {
    return entry.key_length == length && std::memcmp(entry.key.data(), bytes.data(), length) == 0;
  }

 private:
  void append(std::string_view name) noexcept {
    bytes[length++] = static_cast<std::byte>(name.size());
    if (!name.empty()) std::memcpy(bytes.data() + length, name.data(), name.size());  // an absent name has no bytes
    length += name.size();
  }
};

// Strings of 16 bytes or more, by steps of 16 or 32, without a call: the last one overlaps those before.
template <class Step>
bool equal_by(const std::byte* a, const std::byte* b, std::size_t count) noexcept {
  const auto differ = [a, b](std::size_t at) {
    Step of_a, of_b;
    std::memcpy(&of_a, a + at, sizeof of_a);
    std::memcpy(&of_b, b + at, sizeof of_b);
    return of_a ^ of_b;
  };
  Step different = differ(count - sizeof(Step));
  for (std::size_t at = 0; at + sizeof(Step) < count; at += sizeof(Step)) different |= differ(at);
  if constexpr (sizeof(Step) == sizeof(__m256i))
    return _mm256_testz_si256(different, different) != 0;
  else
    return _mm_testz_si128(different, different) != 0;
}

bool equal_bytes(const std::byte* a, const std::byte* b, std::size_t count) noexcept {
  return count >= sizeof(__m256i) ? equal_by<__m256i>(a, b, count) : equal_by<__m128i>(a, b, count);
}

std::string_view next_name(const RouteEntry& entry, std::size_t& at) noexcept {
  const auto size = std::to_integer<std::size_t>(entry.key[at]);
  const std::string_view name(reinterpret_cast<const char*>(entry.key.data()) + at + 1, size);
  at += 1 + size;
  return name;
}

}  // namespace

RouteCache::RouteCache(std::uint32_t capacity, const SipKey& key, const state::WaitingBoard* board)
    : key_(key),
      board_(board),
      sets_(std::bit_ceil(capacity < kWays ? kWays : capacity) / kWays),
      entries_(new RouteEntry[std::size_t{sets_} * kWays]),
      memos_(new Memo[kMemos]) {
  waiting_.reserve(std::size_t{sets_} * kWays);
  CHECK(board_ == nullptr || board_->size() >= std::size_t{sets_} * kWays);
}

const RouteEntry* RouteCache::find(RouteName name) const noexcept {
  if (name.entry >= capacity()) return nullptr;
  const RouteEntry& entry = entries_[name.entry];
  return entry.name == name && entry.key_length > 0 ? &entry : nullptr;
}

std::string_view RouteCache::action_of(RouteName name) const noexcept {
  const RouteEntry* const entry = find(name);
  std::size_t at = 1;  // behind the kind of task
  return entry != nullptr ? next_name(*entry, at) : std::string_view{};
}

RouteEntry* RouteCache::find(const wire::RouteView& selector, const state::RouteSnapshot& snapshot,
                             bool shadow) noexcept {
  const SelectorKey key(selector, shadow);
  RouteEntry* entry = last_;
  if (entry == nullptr || !key.is(*entry)) {
    const std::uint64_t hash = siphash24(key_, {key.bytes.data(), key.length});
    entry = nullptr;
    RouteEntry* const set = &entries_[(hash & (sets_ - 1)) * kWays];
    for (std::uint32_t way = 0; way < kWays; ++way)
      if (set[way].hash == hash && key.is(set[way])) entry = &set[way];
    if (entry == nullptr) {
      entry = claim(hash);
      if (entry == nullptr) return nullptr;
      entry->key_length = static_cast<std::uint16_t>(key.length);
      std::memcpy(entry->key.data(), key.bytes.data(), key.length);
      entry->shadow = shadow;
      entry->generation = ~snapshot.generation;
    }
    last_ = entry;
  }
  return use(*entry, snapshot);
}

// Any mix will do: what is found is compared, and who makes two tables meet only has them verified.
std::uint8_t RouteCache::memo_of(std::span<const std::byte> table, bool shadow) noexcept {
  std::uint64_t mix = shadow ? 1 : 0;
  for (std::size_t at = 0; at + sizeof(std::uint32_t) <= table.size(); at += sizeof(std::uint32_t)) {
    std::uint32_t word;
    std::memcpy(&word, table.data() + at, sizeof word);
    mix = _mm_crc32_u32(static_cast<std::uint32_t>(mix), word);
  }
  return static_cast<std::uint8_t>(mix);
}

bool RouteCache::holds(const Memo& memo, std::span<const std::byte> table, std::uint16_t stamp) const noexcept {
  return memo.stamp == stamp && memo.claimed == entries_[memo.entry].claimed &&
         equal_bytes(memo.bytes.data(), table.data(), table.size());
}

RouteEntry* RouteCache::use(RouteEntry& entry, const state::RouteSnapshot& snapshot) noexcept {
  entry.last_used = ++clock_;
  return refresh(entry, snapshot);
}

RouteEntry* RouteCache::recall(std::span<const std::byte> table, const state::RouteSnapshot& snapshot,
                               std::uint8_t& hint, bool shadow) noexcept {
  const Memo& memo = memos_[hint];
  return holds(memo, table, stamp_of(table, shadow)) ? use(entries_[memo.entry], snapshot)
                                                     : recall_slowly(table, snapshot, hint, shadow);
}

RouteEntry* RouteCache::recall_slowly(std::span<const std::byte> table, const state::RouteSnapshot& snapshot,
                                      std::uint8_t& hint, bool shadow) noexcept {
  hint = memo_of(table, shadow);
  const Memo& memo = memos_[hint];
  return holds(memo, table, stamp_of(table, shadow)) ? use(entries_[memo.entry], snapshot) : nullptr;
}

void RouteCache::remember(std::span<const std::byte> table, const RouteEntry& entry) noexcept {
  if (table.size() < Memo::kBytesMin || table.size() > Memo::kBytesMax) return;
  Memo& memo = memos_[memo_of(table, entry.shadow)];
  memo.claimed = entry.claimed;
  memo.entry = index_of(entry);
  memo.stamp = stamp_of(table, entry.shadow);
  std::memcpy(memo.bytes.data(), table.data(), table.size());
}

RouteEntry* RouteCache::claim(std::uint64_t hash) noexcept {
  RouteEntry* const set = &entries_[(hash & (sets_ - 1)) * kWays];
  RouteEntry* oldest = nullptr;
  for (std::uint32_t way = 0; way < kWays; ++way) {
    RouteEntry& entry = set[way];
    if (entry.lines.frames > 0) continue;
    if (oldest == nullptr || clock_ - entry.last_used > clock_ - oldest->last_used) oldest = &entry;
  }
  if (oldest == nullptr) return nullptr;
  *oldest = RouteEntry{};
  oldest->hash = hash;
  oldest->claimed = ++claims_;
  oldest->name = {index_of(*oldest), static_cast<std::uint16_t>(claims_)};
  // Not all from nothing, or of many selectors with few tasks each none would be copied.
  oldest->mirror.due = static_cast<std::uint32_t>(hash % state::kMirrorWhole);
  return oldest;
}

RouteEntry* RouteCache::resolve(RouteEntry& entry, const state::RouteSnapshot& snapshot) noexcept {
  std::size_t at = 1;
  const std::string_view action = next_name(entry, at);
  const std::string_view model = next_name(entry, at);
  std::array<std::string_view, wire::kTagsMax> tags;
  std::size_t tag_count = 0;
  while (at < entry.key_length) tags[tag_count++] = next_name(entry, at);
  const state::RouteRule rule = snapshot.rule_of(action, model);
  entry.rule = entry.shadow ? rule.for_shadow() : rule;
  entry.limited = !entry.shadow && (snapshot.client_limit.any() || rule.shared_limit != state::kNoSharedLimit);
  entry.checked = entry.limited || entry.shadow;
  entry.action = snapshot.action_of(action);
  const auto serving = [&](std::string_view of_action, std::string_view of_model, bool shadow) {
    ServingPools found;
    found.count = static_cast<std::uint32_t>(
        snapshot.resolve(of_action, of_model, {tags.data(), tag_count}, found.pools, shadow));
    for (std::uint32_t i = 0; i < found.count; ++i) found.skills[i] = snapshot.skill_of(found.pools[i], of_action);
    return found;
  };
  entry.own = entry.rule.degraded ? ServingPools{} : serving(action, model, entry.shadow);
  entry.home = entry.own.count > 0 && !entry.shadow ? snapshot.pool(entry.own.pools[0]).key : 0;
  if (entry.rule.mirror > 0) entry.mirror.pools = serving(action, model, true);
  entry.stand_ins = {};
  if (entry.rule.degradation != state::kNoDegradation) {
    const state::Degradation& how = snapshot.degradation(entry.rule.degradation);
    if (std::ranges::find(how.chain, wire::Substitute::Fallback) != how.chain.end())
      entry.stand_ins = serving(how.action.empty() ? action : how.action, how.model.empty() ? model : how.model, false);
  }
  entry.generation = snapshot.generation;
  if (entry.lines.frames > 0) post(entry);
  return &entry;
}

void RouteCache::post(const RouteEntry& entry) noexcept {
  if (board_ == nullptr) return;
  state::WaitingAt& place = (*board_)[index_of(entry)];
  place.pool.store(entry.home, std::memory_order_relaxed);
  place.tasks.store(entry.lines.frames, std::memory_order_relaxed);
}

void RouteCache::add_waiting(RouteEntry& entry) noexcept {
  post(entry);
  if (entry.lines.frames > 1) return;
  entry.waiting_position = static_cast<std::uint16_t>(waiting_.size());
  waiting_.push_back(index_of(entry));
}

void RouteCache::remove_waiting(RouteEntry& entry) noexcept {
  post(entry);
  if (entry.lines.frames > 0) return;
  RouteEntry& moved = entries_[waiting_.back()];
  waiting_[entry.waiting_position] = index_of(moved);
  moved.waiting_position = entry.waiting_position;
  waiting_.pop_back();
}

}  // namespace mcplane::dataplane
