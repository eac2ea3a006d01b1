// See service_manager.h.
#include "app/mcplane/service_manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdio>

namespace mcplane::app {
namespace {

constexpr std::chrono::nanoseconds kStatusInterval = std::chrono::seconds(5);

unsigned long long whole_us(std::uint64_t ns) { return ns / kNsPerUs; }

// Of the clock that systemd compares with.
std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

ServiceManager::ServiceManager() : beat_interval_(kStatusInterval) {
  std::uint64_t watchdog_us = 0;
  if (sd_watchdog_enabled(0, &watchdog_us) > 0) beat_interval_ = std::chrono::microseconds(watchdog_us) / 4;
}

void ServiceManager::ready() const { sd_notify(0, "READY=1\nSTATUS=serving"); }

void ServiceManager::reloading() const { sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", whole_us(monotonic_ns())); }

void ServiceManager::stopping(std::uint64_t within_ns) const {
  // What is left to do after the wait takes less than a second.
  sd_notifyf(0, "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=%llu", whole_us(within_ns + 5 * kNsPerSecond));
}

void ServiceManager::beat(const control::Control& control) {
  if (!cores_go_on(control.shared())) return;
  sd_notifyf(0, "WATCHDOG=1\nSTATUS=%s: %u workers, %u clients", control.draining() ? "draining" : "serving",
             control.registry().workers(), control.registry().clients());
}

bool ServiceManager::cores_go_on(const state::Shared& shared) {
  bool all = true;
  loops_.resize(shared.shards.size());
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    const std::uint64_t loops = shared.shards[i]->counters.loops.read();
    if (loops == loops_[i]) {
      std::fprintf(stderr, "mcplane: core %zu stands still; the watchdog is not fed\n", i);
      all = false;
    }
    loops_[i] = loops;
  }
  return all;
}

}  // namespace mcplane::app
