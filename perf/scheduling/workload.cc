// See workload.h.
#include "workload.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/random.h"
#include "loadgen/schedule.h"

namespace mcplane::perf {
namespace {

struct Bimodal {
  double long_share = 0, times = 1;  // as long as the short ones
};

constexpr Bimodal bimodal_of(ServiceForm form) noexcept {
  return form == ServiceForm::kBimodalRare ? Bimodal{0.005, 1'000} : Bimodal{0.1, 10};
}

double exponential(Random& random) noexcept { return -std::log1p(-random.unit()); }

// With a mean of 1.
double draw_service(Random& random, ServiceForm form) noexcept {
  if (form == ServiceForm::kExponential) return exponential(random);
  const Bimodal bimodal = bimodal_of(form);
  const double brief = 1 / (1 + bimodal.long_share * (bimodal.times - 1));
  return random.unit() < bimodal.long_share ? brief * bimodal.times : brief;
}

}  // namespace

std::string_view name_of(ServiceForm form) noexcept {
  switch (form) {
    case ServiceForm::kExponential:
      return "exponential";
    case ServiceForm::kBimodalRare:
      return "bimodal 99.5:0.5 x1000";
    case ServiceForm::kBimodalMixed:
      return "bimodal 90:10 x10";
  }
  return "";
}

// Its workers draw a time when a task comes to them, here it is drawn when the task is sent: the same numbers, and
// hardly in another order, since who waits is served in turn.
std::vector<Work> draw_as_load(const WorkloadOptions& options) {
  const auto mean_ns = static_cast<double>(options.service_mean_ns);
  loadgen::Schedule arrivals({.per_second = options.load * options.servers * 1e9 / mean_ns},
                             loadgen::Arrivals::kPoisson, options.seed);
  loadgen::ServiceTime service = {.form = loadgen::ServiceTime::Form::kExponential, .mean_ns = options.service_mean_ns};
  if (options.service != ServiceForm::kExponential) {
    const Bimodal bimodal = bimodal_of(options.service);
    const double brief_ns = mean_ns / (1 + bimodal.long_share * (bimodal.times - 1));
    service = {.form = loadgen::ServiceTime::Form::kBimodal,
               .mean_ns = static_cast<std::uint64_t>(std::llround(brief_ns)),
               .rare_ns = static_cast<std::uint64_t>(std::llround(brief_ns * bimodal.times)),
               .rare_share = bimodal.long_share};
  }
  Random services(options.seed);
  std::vector<Work> work(options.warm_up + options.tasks);
  for (std::uint32_t i = 0; i < work.size(); ++i, arrivals.advance())
    work[i] = {.sent_ns = arrivals.due_ns(),
               .service_ns = std::max<std::uint64_t>(service.draw_ns(services), kNsPerUs),
               .client = i % options.clients};
  return work;
}

std::vector<Work> draw_workload(const WorkloadOptions& options) {
  CHECK(options.clients > 0 && options.servers > 0 && options.load > 0);
  if (options.as_load) return draw_as_load(options);
  Random arrivals(options.seed), services(options.seed + 1), clients(options.seed + 2);
  const auto mean_ns = static_cast<double>(options.service_mean_ns);
  const double gap_ns = mean_ns / (options.load * options.servers);
  std::vector<Work> work(options.warm_up + options.tasks);
  double now_ns = 0;
  for (std::uint32_t i = 0; i < work.size(); ++i) {
    now_ns += exponential(arrivals) * gap_ns * (i < options.warm_up / 3 ? 2 : 1);
    const auto service_ns = static_cast<std::uint64_t>(mean_ns * draw_service(services, options.service));
    work[i] = {.sent_ns = static_cast<std::uint64_t>(now_ns),
               .service_ns = std::max<std::uint64_t>(service_ns, kNsPerUs),
               .client = clients.below(options.clients)};
  }
  return work;
}

std::uint64_t percentile(std::vector<std::uint64_t>& values, double percent) {
  CHECK(!values.empty() && percent >= 0 && percent <= 100);
  const auto rank = std::ceil(static_cast<double>(values.size()) * percent / 100);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::ranges::nth_element(values, at);
  return *at;
}

}  // namespace mcplane::perf
