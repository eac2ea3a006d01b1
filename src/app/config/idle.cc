// See idle.h.
#include "app/config/idle.h"

#include <algorithm>
#include <utility>

namespace mcplane::app {

Idle::Step Idle::after(bool busy, std::uint64_t now_ns) noexcept {
  if (mode_ == IdleMode::kPoll) return Step::kLook;
  if (busy) {
    empty_ = 0;
    nap_ns_ = kNapMinNs;
    spin_until_ = now_ns + kSpinNs;
    return std::exchange(armed_, false) ? Step::kDisarmAndLook : Step::kLook;
  }
  if (mode_ == IdleMode::kSleep && now_ns >= spin_until_) {
    armed_ = !armed_;
    return armed_ ? Step::kArmAndLook : Step::kWait;
  }
  if (empty_ >= kPollsBeforePause) return Step::kPauseAndLook;
  ++empty_;
  return Step::kLook;
}

void Idle::woke(bool came, std::uint64_t now_ns) noexcept {
  if (came) spin_until_ = now_ns + kSpinNs;
}

std::uint64_t Idle::nap_ns() noexcept {
  const std::uint64_t nap_ns = nap_ns_;
  nap_ns_ = std::min(2 * nap_ns_, kNapMaxNs);
  return nap_ns;
}

}  // namespace mcplane::app
