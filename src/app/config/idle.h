// What a core does after a turn that found nothing: the strategy of --idle. Pure; time is an argument.
//   poll   looks again at once.
//   pause  the same, with a CPU's pause between looks, after kPollsBeforePause of them.
//   sleep  as pause, for kSpinNs after the last work; then announces that it will sleep, looks once more, and waits.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace mcplane::app {

enum class IdleMode : std::uint8_t { kPoll, kPause, kSleep };

class Idle {
 public:
  enum class Step : std::uint8_t { kLook, kPauseAndLook, kArmAndLook, kDisarmAndLook, kWait };

  static constexpr std::uint32_t kPollsBeforePause = 32;
  // A burst's next frames, and the answer of a fast worker behind a kernel, come within it.
  static constexpr std::uint64_t kSpinNs = 100 * kNsPerUs;
  // Without interrupts a core naps instead: twice as long each time, up to what a first frame may be late by.
  static constexpr std::uint64_t kNapMinNs = 10 * kNsPerUs, kNapMaxNs = 80 * kNsPerUs;
  // Bounds how late control's commands and a new snapshot are seen. Well below LeaseClock's step.
  static constexpr std::uint32_t kSleepMsMax = 4;

  explicit Idle(IdleMode mode) noexcept : mode_(mode) {}

  // After each turn. busy: it did something.
  Step after(bool busy, std::uint64_t now_ns) noexcept;
  // A wait is over. came: something is there to be found; false after a timeout.
  void woke(bool came, std::uint64_t now_ns) noexcept;
  // How long to nap where nothing wakes the core; then woke(false).
  std::uint64_t nap_ns() noexcept;

 private:
  const IdleMode mode_;
  bool armed_ = false;
  std::uint32_t empty_ = 0;  // looks in a row, as far as they are counted
  std::uint64_t spin_until_ = 0;
  std::uint64_t nap_ns_ = kNapMinNs;
};

}  // namespace mcplane::app
