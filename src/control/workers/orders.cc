// See orders.h.
#include "control/workers/orders.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/siphash.h"

namespace mcplane::control {
namespace {

// Public: brokers that know the same workers send a key to the same one.
constexpr SipKey kOffsetKey{0x6d61676c6576206fULL, 0x6666736574206f66ULL}, kSkipKey{0x6d61676c65762073ULL, 1};

std::uint64_t hash_of(const SipKey& key, std::uint64_t value) noexcept {
  return siphash24(key, std::as_bytes(std::span(&value, 1)));
}

}  // namespace

TurnBuilder::TurnBuilder(std::span<const OrderMember> members) : members_(members.begin(), members.end()) {
  CHECK(!members_.empty());
  std::uint64_t divisor = 0, sum = 0;
  for (const OrderMember& member : members_) {
    divisor = std::gcd(divisor, std::uint64_t{member.weight});
    sum += member.weight;
  }
  const double scale =
      std::min(1.0 / static_cast<double>(divisor), static_cast<double>(kLengthMax) / static_cast<double>(sum));
  for (std::uint32_t i = 0; i < members_.size(); ++i) {
    const double turns = std::max(1.0, std::round(members_[i].weight * scale));
    length_ += static_cast<std::size_t>(turns);
    stride_.push_back(1 / turns);
    next_.push({stride_.back() / 2, i});
  }
  order_.reserve(length_);
}

bool TurnBuilder::step(std::size_t places) {
  for (; places > 0 && order_.size() < length_; --places) {
    Turn turn = next_.top();
    next_.pop();
    order_.push_back(members_[turn.member].worker);
    turn.at += stride_[turn.member];
    next_.push(turn);
  }
  return order_.size() == length_;
}

std::uint32_t MaglevBuilder::entries_for(std::size_t workers) noexcept {
  constexpr std::size_t kPerWorker = 64;
  constexpr std::array<std::uint32_t, 7> kPrimes = {251, 1'021, 4'093, 16'381, 65'521, 262'139, 1'048'573};
  const auto found = std::ranges::lower_bound(kPrimes, workers * kPerWorker);
  return found != kPrimes.end() ? *found : kPrimes.back();
}

MaglevBuilder::MaglevBuilder(std::vector<OrderMember> members) : members_(std::move(members)) {
  CHECK(!members_.empty());
  std::ranges::sort(members_, {}, [](const OrderMember& member) { return std::pair(member.key, member.worker); });
  const std::uint32_t entries = entries_for(members_.size());
  CHECK(members_.size() <= entries);
  for (const OrderMember& member : members_) {
    weight_max_ = std::max(weight_max_, member.weight);
    walkers_.push_back({.place = static_cast<std::uint32_t>(hash_of(kOffsetKey, member.key) % entries),
                        .skip = static_cast<std::uint32_t>(hash_of(kSkipKey, member.key) % (entries - 1)) + 1});
  }
  order_.assign(entries, kNoWorker);
}

bool MaglevBuilder::step(std::size_t looks) {
  for (; looks > 0 && filled_ < order_.size(); --looks) {
    Walker& walker = walkers_[turn_];
    if (!looking_) walker.credit += members_[turn_].weight;
    looking_ = walker.credit >= weight_max_;
    if (looking_) {
      WorkerId& entry = order_[walker.place];
      walker.place = static_cast<std::uint32_t>((std::uint64_t{walker.place} + walker.skip) % order_.size());
      if (entry != kNoWorker) continue;
      entry = members_[turn_].worker;
      ++filled_;
      walker.credit -= weight_max_;
      looking_ = false;
    }
    turn_ = turn_ + 1 < members_.size() ? turn_ + 1 : 0;
  }
  return filled_ == order_.size();
}

}  // namespace mcplane::control
