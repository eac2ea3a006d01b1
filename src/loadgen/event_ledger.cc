// See event_ledger.h.
#include "loadgen/event_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>

#include "base/check.h"
#include "base/types.h"

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kWordBits = 64;

// Every pattern starts with its number, in hexadecimal digits.
std::optional<std::uint64_t> number_in(std::string_view payload) noexcept {
  if (payload.size() < kPromptBytesMin) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = payload.data() + kPromptBytesMin;
  const auto read = std::from_chars(payload.data(), end, number, 16);
  return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
}

}  // namespace

double EventTally::measured_rate() const noexcept {
  return measured_ns == 0
             ? 0
             : static_cast<double>(measured) * static_cast<double>(kNsPerSecond) / static_cast<double>(measured_ns);
}

std::string event_topic(std::uint64_t run, std::uint32_t index) {
  return fmt::format("mcplane-load.{:016x}.{}", run, index);
}

EventLedger::EventLedger(const Shape& shape)
    : subscribers_(shape.subscribers),
      topics_(shape.topics),
      pattern_(shape.seed, shape.payload_bytes),
      payload_(shape.payload_bytes),
      events_(std::bit_ceil(shape.open_max)),
      words_((subscribers_of(0) + kWordBits - 1) / kWordBits),
      seen_(words_ * events_.size()) {
  CHECK(topics_ >= 1 && topics_ <= subscribers_);
  for (std::uint32_t i = 0; i < topics_; ++i) names_.push_back(event_topic(shape.seed, i));
}

std::span<const std::byte> EventLedger::payload() noexcept {
  pattern_.write({reinterpret_cast<char*>(payload_.data()), payload_.size()}, next_number_);
  return payload_;
}

void EventLedger::begin(std::uint64_t due_ns) noexcept {
  DCHECK(has_room());
  const std::uint64_t number = next_number_++;
  events_[number % events_.size()] = {due_ns, subscribers_of(topic_of(number))};
  std::ranges::fill(seen_by(number), 0);
  ++open_;
  ++tally_.published;
}

void EventLedger::take(std::uint32_t subscriber, std::string_view topic, std::span<const std::byte> payload,
                       std::uint64_t now_ns) noexcept {
  const std::string_view text{reinterpret_cast<const char*>(payload.data()), payload.size()};
  const auto number = number_in(text);
  const bool ours = number && *number < next_number_ && topic_of(*number) == subscriber % topics_ &&
                    topic == names_[topic_of(*number)] && pattern_.matches(text, *number);
  if (!ours) {
    ++tally_.mismatched;
    return;
  }
  const std::uint32_t place = subscriber / topics_;
  std::uint64_t& word = seen_by(*number)[place / kWordBits];
  const std::uint64_t bit = std::uint64_t{1} << place % kWordBits;
  Sent& sent = events_[*number % events_.size()];
  const bool held = next_number_ - *number <= events_.size();
  if (held && (word & bit) != 0) {
    ++tally_.duplicates;
  } else if (!held || sent.left == 0) {
    ++tally_.late;
  } else {
    word |= bit;
    deliver(sent, now_ns);
  }
}

void EventLedger::deliver(Sent& sent, std::uint64_t now_ns) noexcept {
  ++tally_.delivered;
  if (now_ns >= measure_from_ns_ && now_ns < end_ns_) ++tally_.measured;
  if (sent.due_ns >= measure_from_ns_) tally_.latency.record(now_ns - std::min(sent.due_ns, now_ns));
  if (--sent.left > 0) return;
  --open_;
  while (oldest_ < next_number_ && events_[oldest_ % events_.size()].left == 0) ++oldest_;
}

void EventLedger::give_up_overdue(std::uint64_t now_ns) noexcept {
  while (oldest_ < next_number_) {
    Sent& sent = events_[oldest_ % events_.size()];
    if (sent.left > 0 && now_ns < sent.due_ns + kLostNs) return;
    give_up(sent);
    ++oldest_;
  }
}

void EventLedger::give_up_all() noexcept {
  for (; oldest_ < next_number_; ++oldest_) give_up(events_[oldest_ % events_.size()]);
}

void EventLedger::start(std::uint64_t measure_from_ns, std::uint64_t end_ns) noexcept {
  give_up_all();
  tally_ = {};
  measure_from_ns_ = measure_from_ns;
  end_ns_ = end_ns;
}

std::span<std::uint64_t> EventLedger::seen_by(std::uint64_t number) noexcept {
  return std::span(seen_).subspan(number % events_.size() * words_, words_);
}

void EventLedger::give_up(Sent& sent) noexcept {
  if (sent.left == 0) return;
  tally_.lost += sent.left;
  sent.left = 0;
  --open_;
}

}  // namespace mcplane::loadgen
