// What became of each event of a run: to whom it goes, who has got it, and when it was due. Event n is on topic
// n mod topics, which subscriber s has when s mod topics is the same, and its payload is the run's pattern of n, so any
// byte that is damaged, or of another event or run, shows. A delivery that is not there kLostNs after the event was due
// is lost. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/histogram.h"
#include "loadgen/pattern.h"

namespace mcplane::loadgen {

struct EventTally {
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;  // an event to a subscriber, once
  std::uint64_t lost = 0;
  std::uint64_t late = 0;  // came after they were counted as lost, or were repeated as late as that
  std::uint64_t duplicates = 0;
  std::uint64_t mismatched = 0;       // not the bytes, or not on the topic, that were published
  std::uint64_t missed = 0;           // by the gaps that subscribers saw
  std::uint64_t repeated_frames = 0;  // that subscribers recognised: harmless
  std::uint64_t skipped = 0;          // due, but not published: too many were on their way
  std::uint64_t published_late = 0;   // more than 1 ms after they were due
  std::uint64_t measured = 0;         // deliveries within the measured part
  std::uint64_t measured_ns = 0;
  Histogram latency;  // ns, from when an event was due; of those that were due in the measured part

  double measured_rate() const noexcept;
};

// Its topics are told apart from those of other runs by a number of its own.
std::string event_topic(std::uint64_t run, std::uint32_t index);

class EventLedger {
 public:
  static constexpr std::uint64_t kLostNs = 1'000'000'000;

  struct Shape {
    std::uint32_t subscribers = 1, topics = 1;
    std::size_t payload_bytes = 256;
    std::uint64_t seed = 1;
    std::size_t open_max = 1'024;  // events on their way at once
  };
  explicit EventLedger(const Shape& shape);

  std::uint32_t topic_of(std::uint64_t number) const noexcept { return static_cast<std::uint32_t>(number % topics_); }
  const std::string& topic_name(std::uint32_t topic) const noexcept { return names_[topic]; }
  std::uint64_t next_number() const noexcept { return next_number_; }
  std::size_t open() const noexcept { return open_; }
  // False: open_max are on their way.
  bool has_room() const noexcept { return next_number_ - oldest_ < events_.size(); }

  // has_room(). The payload of the next event, valid until the next call.
  std::span<const std::byte> payload() noexcept;
  // It was published.
  void begin(std::uint64_t due_ns) noexcept;
  // What a subscriber got.
  void take(std::uint32_t subscriber, std::string_view topic, std::span<const std::byte> payload,
            std::uint64_t now_ns) noexcept;
  // Counts as lost what was due kLostNs ago; or all that is missing.
  void give_up_overdue(std::uint64_t now_ns) noexcept;
  void give_up_all() noexcept;

  // Counts from 0. Latencies are those of events due from then on, rates of deliveries from then until the end.
  void start(std::uint64_t measure_from_ns, std::uint64_t end_ns) noexcept;
  void end_at(std::uint64_t end_ns) noexcept { end_ns_ = end_ns; }
  EventTally& tally() noexcept { return tally_; }

 private:
  struct Sent {
    std::uint64_t due_ns = 0;
    std::uint32_t left = 0;  // subscribers that have not got it
  };

  std::uint32_t subscribers_of(std::uint32_t topic) const noexcept {
    return subscribers_ / topics_ + (topic < subscribers_ % topics_ ? 1 : 0);
  }
  std::span<std::uint64_t> seen_by(std::uint64_t number) noexcept;
  void deliver(Sent& sent, std::uint64_t now_ns) noexcept;
  void give_up(Sent& sent) noexcept;

  const std::uint32_t subscribers_, topics_;
  PromptPattern pattern_;
  std::vector<std::string> names_;  // by topic
  std::vector<std::byte> payload_;
  std::vector<Sent> events_;                    // a ring: number n is at n mod its size
  const std::size_t words_;                     // of seen_, an event
  std::vector<std::uint64_t> seen_;             // a bit for each subscriber of the event's topic
  std::uint64_t next_number_ = 0, oldest_ = 0;  // those before it have been delivered or given up
  std::size_t open_ = 0;
  std::uint64_t measure_from_ns_ = 0, end_ns_ = 0;
  EventTally tally_;
};

}  // namespace mcplane::loadgen
