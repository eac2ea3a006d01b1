// See live.h.
#include "loadgen/live.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>

#include "base/types.h"

namespace mcplane::loadgen {
namespace {

// How long the end of a run may go unnoticed.
constexpr long kPollNs = 50'000'000;

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

std::string line_of(const Progress& progress) {
  constexpr auto relaxed = std::memory_order_relaxed;
  const auto us = [](const std::atomic<std::uint64_t>& ns) {
    return static_cast<double>(ns.load(relaxed)) / static_cast<double>(kNsPerUs);
  };
  return fmt::format("{:>4} s  {:>9}/s  p50 {:>9.1f} us  p99 {:>9.1f} us  in flight {:>6}  rejected {}  lost {}",
                     progress.updates.load(relaxed), progress.rate.load(relaxed), us(progress.p50_ns),
                     us(progress.p99_ns), progress.in_flight.load(relaxed), progress.refused.load(relaxed),
                     progress.lost.load(relaxed));
}

}  // namespace

void hold_stop_signals() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void show_progress(const Progress& progress, const std::atomic<bool>& finished, std::atomic<bool>& stop) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  const sigset_t set = stop_signals();
  const timespec poll{0, kPollNs};
  std::uint64_t shown = 0;
  // Acquire pairs with the release store of the client thread after its run; the join behind it would do as well.
  while (!finished.load(std::memory_order_acquire)) {
    if (sigtimedwait(&set, nullptr, &poll) > 0) {
      stop.store(true, std::memory_order_relaxed);
      fmt::print(stderr, "{}ending when tasks in flight have; signal again to end at once\n", terminal ? "\n" : "");
      pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    }
    const std::uint64_t updates = progress.updates.load(std::memory_order_relaxed);
    if (updates == shown) continue;
    shown = updates;
    fmt::print(stderr, "{}{}{}", terminal ? "\r" : "", line_of(progress), terminal ? "\x1b[K" : "\n");
    std::fflush(stderr);
  }
  if (terminal && shown > 0) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace mcplane::loadgen
