// The ideal by hand and against Erlang's formula; the workload against what it was asked for.
#include "reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mcplane::perf {
namespace {

std::vector<Work> works(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> sent_and_service) {
  std::vector<Work> work;
  for (const auto& [sent_ns, service_ns] : sent_and_service)
    work.push_back({.sent_ns = sent_ns, .service_ns = service_ns, .client = 0});
  return work;
}

TEST(Ideal, OneServerTakesThemInTurn) {
  const auto work = works({{0, 10}, {1, 10}, {50, 5}});
  EXPECT_EQ(ideal_sojourns_ns(work, 1), (std::vector<std::uint64_t>{10, 19, 5}));
}

TEST(Ideal, TheFirstServerThatIsFreeTakesTheNext) {
  const auto work = works({{0, 100}, {0, 10}, {1, 10}, {2, 10}});
  EXPECT_EQ(ideal_sojourns_ns(work, 2), (std::vector<std::uint64_t>{100, 10, 19, 28}));
}

TEST(Ideal, WithServersEnoughNobodyWaits) {
  const auto work = works({{0, 7}, {0, 8}, {0, 9}});
  EXPECT_EQ(ideal_sojourns_ns(work, 3), (std::vector<std::uint64_t>{7, 8, 9}));
}

TEST(ErlangC, IsTheFormulasOwnValues) {
  EXPECT_NEAR(erlang_c_mean_wait(1, 0.8), 4.0, 1e-12);        // M/M/1: load / (1 - load)
  EXPECT_NEAR(erlang_c_mean_wait(2, 0.5), 1.0 / 3.0, 1e-12);  // M/M/2: load^2 / (1 - load^2)
  EXPECT_LT(erlang_c_mean_wait(64, 0.8), erlang_c_mean_wait(16, 0.8));
}

double mean_wait(std::uint32_t servers, double load, std::uint64_t seed) {
  constexpr std::uint64_t kServiceNs = 1'000 * kNsPerUs;
  const auto work = draw_workload(
      {.service_mean_ns = kServiceNs, .servers = servers, .load = load, .tasks = 2'000'000, .seed = 3 * seed});
  const auto sojourns_ns = ideal_sojourns_ns(work, servers);
  double wait_ns = 0;
  for (std::size_t i = 0; i < work.size(); ++i) wait_ns += static_cast<double>(sojourns_ns[i] - work[i].service_ns);
  return wait_ns / static_cast<double>(work.size()) / kServiceNs;
}

// 16 million tasks: what is left of chance is below 1 %.
TEST(Ideal, WaitsAsErlangSaysWithinTwoPerCent) {
  constexpr std::uint64_t kRuns = 8;
  for (const std::uint32_t servers : {1U, 4U, 16U}) {
    double sum = 0;
    for (std::uint64_t run = 1; run <= kRuns; ++run) sum += mean_wait(servers, 0.8, run);
    EXPECT_NEAR(sum / kRuns / erlang_c_mean_wait(servers, 0.8), 1.0, 0.02) << servers;
  }
}

TEST(Workload, HasTheMeanTheRateAndTheFormAskedFor) {
  for (const ServiceForm form : kServiceForms) {
    const WorkloadOptions options{.service = form, .tasks = 2'000'000, .warm_up = 0};
    const auto work = draw_workload(options);
    double service_ns = 0;
    std::vector<std::uint64_t> services;
    for (const Work& task : work) {
      service_ns += static_cast<double>(task.service_ns);
      services.push_back(task.service_ns);
    }
    const auto count = static_cast<double>(work.size()), mean_ns = static_cast<double>(options.service_mean_ns);
    EXPECT_NEAR(service_ns / count / mean_ns, 1.0, 0.02) << name_of(form);
    EXPECT_NEAR(static_cast<double>(work.back().sent_ns) / count * options.load * options.servers / mean_ns, 1.0, 0.01);
    EXPECT_TRUE(std::ranges::is_sorted(work, {}, &Work::sent_ns));
    const auto median = static_cast<double>(percentile(services, 50)),
               most = static_cast<double>(percentile(services, 100));
    const double expected = form == ServiceForm::kExponential   ? std::log(2.0)
                            : form == ServiceForm::kBimodalRare ? 1 / (1 + 0.005 * 999)
                                                                : 1 / (1 + 0.1 * 9);
    EXPECT_NEAR(median / mean_ns, expected, 0.01) << name_of(form);
    if (form == ServiceForm::kExponential) continue;
    EXPECT_NEAR(most / median, form == ServiceForm::kBimodalRare ? 1'000 : 10, 0.1) << name_of(form);
  }
}

TEST(Percentile, IsTheLeastThatSoManyDoNotExceed) {
  std::vector<std::uint64_t> values(100);
  std::iota(values.rbegin(), values.rend(), 1);
  EXPECT_EQ(percentile(values, 99), 99U);
  EXPECT_EQ(percentile(values, 50), 50U);
  EXPECT_EQ(percentile(values, 0), 1U);
  EXPECT_EQ(percentile(values, 100), 100U);
}

}  // namespace
}  // namespace mcplane::perf
