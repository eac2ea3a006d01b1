// Frames that await an acknowledgement, by when they were last sent: the first is the first to be sent again. One
// backoff serves all (RFC 9002, 6.2.1): a round of fruitless tries doubles the wait, anything new from the peer ends
// it. One thread.
#pragma once

#include "client/timed_list.h"
#include "wire/retransmission.h"

namespace mcplane::client {

class ResendQueue {
 public:
  static constexpr std::uint32_t kNone = TimedList::kNone;

  // When the first is due; TimedList::kNever when none waits.
  std::uint64_t next_ns(const TimedNodes& nodes, std::uint64_t pto_ns) const noexcept {
    const std::uint64_t sent_ns = list_.first_ns(nodes);
    if (sent_ns == TimedList::kNever) return sent_ns;
    // Those last sent before the wait was doubled belong to the round that doubled it.
    const bool earlier_round = tries_ > 0 && sent_ns < doubled_ns_;
    return sent_ns + wire::backed_off(pto_ns, earlier_round ? tries_ - 1 : tries_);
  }
  void push(TimedNodes& nodes, std::uint32_t index, std::uint64_t now_ns) noexcept {
    list_.push_back(nodes, index, now_ns);
  }
  void erase(TimedNodes& nodes, std::uint32_t index) noexcept { list_.erase(nodes, index); }
  // Takes out the first if it is due; the caller sends it and pushes it again.
  std::uint32_t take_due(TimedNodes& nodes, std::uint64_t now_ns, std::uint64_t pto_ns) noexcept {
    if (next_ns(nodes, pto_ns) > now_ns) return kNone;
    const std::uint32_t index = list_.first();
    if (tries_ == 0 || list_.first_ns(nodes) >= doubled_ns_) {
      ++tries_;
      doubled_ns_ = now_ns / kNsPerUs * kNsPerUs;
    }
    list_.erase(nodes, index);
    return index;
  }
  // An acknowledgement or an outcome that is no repeat.
  void on_news() noexcept { tries_ = 0; }
  void clear() noexcept {
    list_.clear();
    tries_ = 0;
  }

 private:
  TimedList list_;
  std::uint32_t tries_ = 0;  // rounds since the last news
  std::uint64_t doubled_ns_ = 0;
};

}  // namespace mcplane::client
