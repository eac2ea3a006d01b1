// PartSender and PartReceiver over a channel that loses, repeats and reorders: what comes out is what went in, each
// part once and none that was not granted; and it ends.
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "base/random.h"
#include "base/types.h"
#include "client/part_receiver.h"
#include "client/part_sender.h"

namespace mcplane::client {
namespace {

constexpr std::uint64_t kPtoNs = 10 * kNsPerMs, kSrttNs = 2 * kNsPerMs, kAckDelayNs = kNsPerMs;
constexpr std::uint64_t kStartNs = kNsPerSecond, kLongestNs = 3'600 * kNsPerSecond;

struct Faults {
  std::uint32_t loss_percent = 0, repeat_percent = 0;
  std::uint64_t jitter_ns = 0;
};

Faults any_faults() {
  return {.loss_percent = *rc::gen::inRange<std::uint32_t>(0, 40),
          .repeat_percent = *rc::gen::inRange<std::uint32_t>(0, 30),
          .jitter_ns = *rc::gen::inRange<std::uint64_t>(0, 5 * kNsPerMs)};
}

// One way of the channel: messages by when they arrive.
template <class Message>
class Way {
 public:
  Way(const Faults& faults, Random& random) : faults_(faults), random_(random) {}

  void send(const Message& message, std::uint64_t now_ns) {
    ++sent_;
    if (random_.below(100) < faults_.loss_percent) return;
    add(message, now_ns);
    if (random_.below(100) < faults_.repeat_percent) add(message, now_ns);
  }
  std::uint64_t next_ns() const { return messages_.empty() ? PartSender::kNever : messages_.begin()->first; }
  Message take() { return messages_.extract(messages_.begin()).mapped(); }
  std::uint64_t sent() const { return sent_; }

 private:
  void add(const Message& message, std::uint64_t now_ns) {
    const auto jitter_us = static_cast<std::uint32_t>(faults_.jitter_ns / kNsPerUs);
    const std::uint64_t late_ns = jitter_us == 0 ? 0 : random_.below(jitter_us) * kNsPerUs;
    messages_.emplace(now_ns + kSrttNs / 2 + late_ns, message);
  }

  Faults faults_;
  Random& random_;
  std::multimap<std::uint64_t, Message> messages_;  // those of one time in the order they were sent
  std::uint64_t sent_ = 0;
};

// A GRANT as it lies in a datagram.
struct Grant {
  alignas(4) std::array<std::byte, 2 + PartReceiver::kGrantBytesMax> storage{};
  std::size_t length = 0;

  std::span<std::byte> room() { return std::span(storage).subspan(2); }
  std::span<const std::byte> datagram() const { return std::span(storage).subspan(2, length); }
};

// A message from its first part to its end, with the clock of both.
class World {
 public:
  World(std::uint32_t parts, std::uint32_t unscheduled, const Faults& faults, std::uint64_t seed)
      : random_(seed),
        sender_(unscheduled),
        receiver_(unscheduled),
        there_(faults, random_),
        back_(faults, random_),
        came_(parts, 0) {
    receiver_.open();
  }

  void make(std::uint32_t parts) { sender_.add(parts); }
  // Until all that was made is acknowledged.
  void run() {
    while (!sender_.all_acknowledged()) {
      transmit();
      RC_ASSERT(now_ns_ < kLongestNs);
      now_ns_ = std::max(now_ns_, std::min({there_.next_ns(), back_.next_ns(), sender_.due_ns(kPtoNs),
                                            receiver_.due_ns(kAckDelayNs)}));
      while (there_.next_ns() <= now_ns_) arrive(there_.take());
      if (receiver_.due_ns(kAckDelayNs) <= now_ns_) grant();
      while (back_.next_ns() <= now_ns_) take_grant(back_.take());
      if (sender_.due_ns(kPtoNs) <= now_ns_) send(sender_.take_probe(now_ns_));
    }
    RC_ASSERT(receiver_.next() == sender_.made());
    RC_ASSERT(std::all_of(came_.begin(), came_.begin() + sender_.made(), [](int times) { return times == 1; }));
  }
  void wait(std::uint64_t for_ns) { now_ns_ += for_ns; }
  std::uint64_t sent() const { return there_.sent(); }

 private:
  void transmit() {
    for (std::uint32_t part; (part = sender_.take_next(now_ns_)) != PartSender::kNone;) send(part);
  }
  void send(std::uint32_t part) {
    RC_ASSERT(part < sender_.made());
    there_.send(static_cast<std::uint16_t>(part), now_ns_);
  }
  void arrive(std::uint16_t number) {
    const std::uint32_t before = receiver_.next();
    const PartReceiver::Part part = receiver_.on_part(number, now_ns_);
    RC_ASSERT(part.arrival != PartReceiver::Arrival::kBeyond);
    if (part.arrival == PartReceiver::Arrival::kNew) {
      RC_ASSERT(part.number < came_.size());
      RC_ASSERT(static_cast<std::uint16_t>(part.number) == number);
      ++came_[part.number];
    }
    RC_ASSERT(receiver_.next() >= before);
    for (std::uint32_t at = before; at < receiver_.next(); ++at) RC_ASSERT(came_[at] == 1);
  }
  void grant() {
    Grant grant;
    wire::begin_datagram(grant.room(), wire::FrameType::Grant).mutate_session(1);
    wire::header_of(grant.room()).mutate_attempt(1);
    grant.length = receiver_.write_grant(grant.room());
    RC_ASSERT(wire::check_datagram(grant.datagram()) == DropReason::kNone);
    RC_ASSERT(receiver_.due_ns(kAckDelayNs) == PartReceiver::kNever);
    back_.send(grant, now_ns_);
  }
  void take_grant(const Grant& grant) {
    const wire::Header& header = wire::header_of(grant.datagram());
    const std::uint32_t before = sender_.acknowledged();
    sender_.on_grant(wire::grant_next(header), wire::grant_limit(header), wire::payload_of(grant.datagram()), now_ns_,
                     kPtoNs);
    RC_ASSERT(sender_.acknowledged() >= before);
    RC_ASSERT(sender_.acknowledged() <= receiver_.next());
  }

  Random random_;
  PartSender sender_;
  PartReceiver receiver_;
  Way<std::uint16_t> there_;
  Way<Grant> back_;
  std::vector<int> came_;  // by part
  std::uint64_t now_ns_ = kStartNs;
};

std::uint32_t any_unscheduled() { return *rc::gen::element<std::uint32_t>(1, wire::kUnscheduledParts); }

// Numbers on the wire count round at 65,536.
std::uint32_t any_length() {
  const bool beyond_a_round = *rc::gen::inRange(0, 50) == 0;
  return beyond_a_round ? 70'000 : *rc::gen::inRange<std::uint32_t>(1, 1'000);
}

void whole_messages_come() {
  const std::uint32_t parts = any_length();
  World world(parts, any_unscheduled(), any_faults(), *rc::gen::arbitrary<std::uint64_t>());
  world.make(parts);
  world.run();
}

void streams_come() {
  const auto bursts = *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(1, 60));
  std::uint32_t parts = 0;
  for (const std::uint32_t burst : bursts) parts += burst;
  World world(parts, any_unscheduled(), any_faults(), *rc::gen::arbitrary<std::uint64_t>());
  for (const std::uint32_t burst : bursts) {
    world.make(burst);
    world.run();
    world.wait(*rc::gen::inRange<std::uint64_t>(0, 2 * kNsPerSecond));
  }
}

void nothing_is_sent_twice_without_need() {
  const auto parts = *rc::gen::inRange<std::uint32_t>(1, 1'000);
  World world(parts, any_unscheduled(), {}, 1);
  world.make(parts);
  world.run();
  RC_ASSERT(world.sent() == parts);
}

}  // namespace
}  // namespace mcplane::client

int main() {
  using namespace mcplane::client;
  const bool messages = rc::check("a message comes as it was sent", whole_messages_come);
  const bool streams = rc::check("a stream comes as it was made", streams_come);
  const bool economy = rc::check("without loss no part is sent twice", nothing_is_sent_twice_without_need);
  return messages && streams && economy ? EXIT_SUCCESS : EXIT_FAILURE;
}
