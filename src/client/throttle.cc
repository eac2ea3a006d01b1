// See throttle.h.
#include "client/throttle.h"

#include <algorithm>

namespace mcplane::client {

namespace {

constexpr double kDecrease = 0.7;
constexpr double kRateMin = 1;            // a second
constexpr double kSecondsToRecover = 10;  // from nothing to the rate at which the first refusal came
constexpr double kBurstSeconds = 0.01;    // tokens that may be saved up; at least one

double seconds(std::uint64_t ns) noexcept { return static_cast<double>(ns) / static_cast<double>(kNsPerSecond); }

}  // namespace

double Throttle::rate_at(std::uint64_t now_ns) const noexcept {
  return rate_ + growth_ * seconds(now_ns - std::min(filled_ns_, now_ns));
}

double Throttle::tokens_at(std::uint64_t now_ns) const noexcept {
  const double rate = rate_at(now_ns);
  return std::min(tokens_ + rate * seconds(now_ns - std::min(filled_ns_, now_ns)), std::max(1.0, rate * kBurstSeconds));
}

std::uint64_t Throttle::next_send_ns(std::uint64_t now_ns) const noexcept {
  if (rate_ == 0) return now_ns;
  if (now_ns < resume_ns_) return resume_ns_;
  const double missing = 1 - tokens_at(now_ns);
  if (missing <= 0) return now_ns;
  return now_ns + static_cast<std::uint64_t>(missing / rate_at(now_ns) * static_cast<double>(kNsPerSecond)) + 1;
}

void Throttle::on_sent(std::uint64_t now_ns) noexcept {
  if (now_ns - window_ns_ >= kWindowNs) {
    measured_ = static_cast<double>(window_sends_) / seconds(now_ns - window_ns_);
    window_ns_ = now_ns;
    window_sends_ = 0;
  }
  ++window_sends_;
  if (rate_ == 0) return;
  if (now_ns - refused_ns_ >= kQuietNs) {
    rate_ = 0;
    return;
  }
  tokens_ = tokens_at(now_ns) - 1;
  rate_ = rate_at(now_ns);
  filled_ns_ = now_ns;
}

void Throttle::on_refused(std::uint64_t retry_after_ns, std::uint64_t now_ns) noexcept {
  refused_ns_ = now_ns;
  resume_ns_ = std::max(resume_ns_, now_ns + retry_after_ns);
  const bool limited = rate_ != 0;
  if (limited && now_ns - lowered_ns_ < kWindowNs) return;
  lowered_ns_ = now_ns;
  const double current = seconds(now_ns - window_ns_) > 0
                             ? static_cast<double>(window_sends_) / seconds(std::max(now_ns - window_ns_, kWindowNs))
                             : 0;
  const double before = limited ? rate_at(now_ns) : std::max(measured_, current);
  rate_ = std::max(kRateMin, kDecrease * before);
  if (!limited) growth_ = std::max(kRateMin, before) / kSecondsToRecover;
  tokens_ = 0;
  filled_ns_ = resume_ns_;
}

}  // namespace mcplane::client
