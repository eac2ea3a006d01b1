// The tasks of one cell, drawn before anything runs, so that every simulation of the cell is given the same ones
// (common random numbers). Times are virtual nanoseconds. Any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace mcplane::perf {

// How long tasks run. Every form has the mean that is asked for.
enum class ServiceForm : std::uint8_t {
  kExponential,
  kBimodalRare,   // 99.5 % short, 0.5 % a thousand times as long
  kBimodalMixed,  // 90 % short, 10 % ten times as long
};
inline constexpr ServiceForm kServiceForms[] = {ServiceForm::kExponential, ServiceForm::kBimodalRare,
                                                ServiceForm::kBimodalMixed};
std::string_view name_of(ServiceForm form) noexcept;

struct WorkloadOptions {
  ServiceForm service = ServiceForm::kExponential;
  std::uint64_t service_mean_ns = 100 * kNsPerUs;
  std::uint32_t servers = 16;  // over all workers
  double load = 0.8;           // of what they can do
  std::uint32_t clients = 64;  // each task is one of theirs, drawn
  std::uint32_t tasks = 0;     // that count
  std::uint32_t warm_up = 0;   // that come before them, the first third at half the rate
  std::uint64_t seed = 1;
  bool as_load = false;  // the tasks that mcplane-load sends with this seed; the warm-up is as the rest
};

struct Work {
  std::uint64_t sent_ns = 0;     // by its client; never goes back from one to the next
  std::uint64_t service_ns = 0;  // at least 1 us: what a worker can say of it
  std::uint32_t client = 0;
};

// Poisson arrivals.
std::vector<Work> draw_workload(const WorkloadOptions& options);

// Those that percent (0-100) of the values do not exceed; reorders them.
std::uint64_t percentile(std::vector<std::uint64_t>& values, double percent);

}  // namespace mcplane::perf
