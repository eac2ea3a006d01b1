// A number that endpoints are told, and the outermost of those that any of them may still go by: told another one, an
// endpoint hears of it some time later. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mcplane::control {

// Within: std::less when the greatest is the outermost, std::greater when the least is.
template <class Within>
class LatelyTold {
 public:
  explicit LatelyTold(std::uint32_t first) : told_(first), outermost_(first), before_(first) {}

  // hear_ns(): after how long everybody has heard, by what may still be gone by then. Asked when a period begins.
  template <class HearNs>
  void tell(std::uint32_t number, std::uint64_t now_ns, HearNs&& hear_ns) noexcept {
    told_ = number;
    outermost_ = std::max(outermost_, told_, Within{});
    if (now_ns < period_end_ns_) return;
    before_ = outermost_;
    outermost_ = told_;
    period_end_ns_ = now_ns + hear_ns();
  }

  std::uint32_t told() const noexcept { return told_; }
  // What was told in a period may be gone by until the end of the next, which is as long as anyone needs to hear.
  std::uint32_t outermost() const noexcept { return std::max(before_, outermost_, Within{}); }

 private:
  std::uint32_t told_;
  std::uint32_t outermost_;  // told in this period
  std::uint32_t before_;     // in the one before
  std::uint64_t period_end_ns_ = 0;
};

}  // namespace mcplane::control
