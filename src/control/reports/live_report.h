// What the page shows, as GET /v1/live sends it once a second: how things are, and what went on since the reading
// before, as rates and percentiles. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/control.h"

namespace mcplane::control {

class LiveReport {
 public:
  static constexpr std::size_t kWorkersMax = 200, kPoolsMax = 100, kPointsMax = 300;

  // Takes a reading. JSON of all, one line; without `whole`, which costs a walk of all workers, "".
  std::string next(Control& control, bool whole);
  // JSON, one line: of the last readings those figures that are drawn over time, the oldest first.
  std::string history() const;

 private:
  using Durations = std::array<std::uint64_t, state::Durations::Buckets::kBuckets>;

  struct Core {
    std::uint64_t accepted = 0, busy_ns = 0;
  };
  struct Port {
    std::uint64_t in = 0, out = 0;
  };
  // Counters, added up over cores.
  struct Reading {
    std::uint64_t at_ns = 0;
    std::uint64_t accepted = 0, delivered = 0, degraded = 0, queued = 0, in_flight = 0;
    std::array<std::uint64_t, state::kReasons> rejected{};
    std::array<std::uint64_t, kDropReasons> drops{};
    std::array<Durations, 3> durations{};  // as kDurations of live_report.cc
    std::vector<Core> cores;
    std::vector<Port> ports;
  };
  // Of a worker that was shown: its outcomes at each core, modulo 65,536.
  using Outcomes = std::vector<std::uint16_t>;

  static Reading read(const Control& control, const std::vector<PortState>& ports);
  double per_s(std::uint64_t after, std::uint64_t before) const noexcept;
  nlohmann::ordered_json point() const;
  nlohmann::ordered_json latency_json() const;
  nlohmann::ordered_json cores_json(const Control& control) const;
  nlohmann::ordered_json ports_json(const Control& control, const std::vector<PortState>& ports) const;
  nlohmann::ordered_json rejected_json() const;
  nlohmann::ordered_json drops_json() const;
  nlohmann::ordered_json workers_json(const Control& control);
  nlohmann::ordered_json worker_json(const Control& control, const Session& session, Outcomes& outcomes) const;

  Reading before_, now_;
  std::unordered_map<std::uint32_t, Outcomes> outcomes_;  // by session
  std::deque<std::string> points_;                        // JSON of each
  std::uint64_t number_ = 0;
};

}  // namespace mcplane::control
