// How fast a client may send once its broker has said it is overloaded: not before retry_after, then by a token bucket
// whose rate falls by a factor with each new overload and grows by a constant while none comes (AIMD; Chiu, Jain 1989).
// After a quiet while it is off again, and costs a counter a send. Time passed in; one thread.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "wire/header.h"

namespace mcplane::client {

class Throttle {
 public:
  // Refusals closer together than this are of one overload; the send rate is measured over as long.
  static constexpr std::uint64_t kWindowNs = 100 * kNsPerMs;
  // Off after this long without a refusal.
  static constexpr std::uint64_t kQuietNs = 5 * kNsPerSecond;

  // Whether a refusal for this reason says anything about the load.
  static constexpr bool applies_to(wire::Reason reason) noexcept {
    return reason == wire::Reason::QueueFull || reason == wire::Reason::TableFull || reason == wire::Reason::Draining ||
           reason == wire::Reason::Overloaded || reason == wire::Reason::RateLimited;
  }

  // When the next send may go out: now_ns or earlier means at once.
  std::uint64_t next_send_ns(std::uint64_t now_ns) const noexcept;
  void on_sent(std::uint64_t now_ns) noexcept;
  void on_refused(std::uint64_t retry_after_ns, std::uint64_t now_ns) noexcept;
  double rate_per_second() const noexcept { return rate_; }  // 0: off

 private:
  double tokens_at(std::uint64_t now_ns) const noexcept;
  double rate_at(std::uint64_t now_ns) const noexcept;

  std::uint64_t resume_ns_ = 0;  // retry_after
  std::uint64_t refused_ns_ = 0, lowered_ns_ = 0;
  double rate_ = 0;    // sends a second, as of filled_ns_; 0: off
  double growth_ = 0;  // sends a second, each second
  double tokens_ = 0;  // as of filled_ns_
  std::uint64_t filled_ns_ = 0;
  // What went out lately.
  std::uint64_t window_ns_ = 0;  // its start
  std::uint64_t window_sends_ = 0;
  double measured_ = 0;  // sends a second, in the window before
};

}  // namespace mcplane::client
