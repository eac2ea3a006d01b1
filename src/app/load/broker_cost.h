// What tasks cost a broker, by its own account: asked over its admin socket before a run and after it. Main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mcplane::app {

// Since it was started.
struct BrokerAccount {
  std::string boot_id;
  std::uint64_t tasks = 0;    // accepted, load tests' among them
  std::uint64_t busy_ms = 0;  // of all cores, in loops that found work
  std::uint64_t tsc_hz = 0;
};

// Nothing when nobody answers, or not as a broker does. Waits 5 s at most for each of two answers.
std::optional<BrokerAccount> ask_broker(const std::string& admin);
// By the time-stamp counter. Nothing when there were no tasks, or the broker was started anew between the two.
std::optional<double> cycles_per_task(const BrokerAccount& before, const BrokerAccount& after) noexcept;

}  // namespace mcplane::app
