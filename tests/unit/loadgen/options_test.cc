// Options that are fine alone and not together, and what still fits one frame.
#include "loadgen/options.h"

#include <gtest/gtest.h>

#include "loadgen/pattern.h"
#include "wire/datagram.h"
#include "wire/route_table.h"

namespace mcplane::loadgen {
namespace {

Options options_v4() {
  Options options;
  options.broker = {wire::IpAddress::v4({10, 0, 0, 1}), 4'800};
  return options;
}

std::size_t packet_bytes(const Options& options, std::size_t prompt_bytes) {
  return wire::kIpv4Bytes + wire::kUdpBytes + wire::kLeadBytes +
         wire::write_route_table(options.action, "", {}, "").size() +
         PayloadWriter({0, prompt_bytes}).payload_bytes_max();
}

TEST(Options, DefaultsAgree) { EXPECT_EQ(conflict_in(options_v4()), ""); }

TEST(Options, LargestPromptFitsTheFrameAndEightMoreDoNot) {
  const Options options = options_v4();
  const std::uint64_t largest = prompt_bytes_max(options, kMtuBytes);
  EXPECT_GT(largest, 1'000U);
  EXPECT_LE(packet_bytes(options, largest), kMtuBytes);
  EXPECT_GT(packet_bytes(options, largest + 8), kMtuBytes);
}

TEST(Options, ASurgeIsMeasuredWhileTheOthersAre) {
  Options options = options_v4();
  options.rate_per_second = 1'000;
  options.ramp_ns = 2 * kNsPerSecond;
  options.warmup_ns = kNsPerSecond;
  options.duration_ns = 10 * kNsPerSecond;
  options.surge = {.clients = 5, .rate_per_second = 9'000};
  const Options whole = surge_options(options);
  EXPECT_EQ(whole.clients, 5U);
  EXPECT_EQ(whole.rate_per_second, 9'000);
  EXPECT_EQ(whole.ramp_ns, 0U);
  EXPECT_EQ(whole.warmup_ns, 3 * kNsPerSecond);
  EXPECT_EQ(whole.duration_ns, 10 * kNsPerSecond);
  EXPECT_NE(whole.seed, options.seed) << "two runs of one seed would have the same task ids";
  options.surge.after_ns = 4 * kNsPerSecond;
  options.surge.length_ns = 5 * kNsPerSecond;
  EXPECT_EQ(surge_options(options).warmup_ns, 0U);
  EXPECT_EQ(surge_options(options).duration_ns, 5 * kNsPerSecond);
  options.surge.length_ns = kNsPerSecond * 60;
  EXPECT_EQ(surge_options(options).duration_ns, 9 * kNsPerSecond) << "it ends with the run";
}

TEST(Options, EachConflictNamesWhatToType) {
  Options poisson = options_v4();
  poisson.arrivals = Arrivals::kPoisson;
  EXPECT_NE(conflict_in(poisson).find("--rate"), std::string::npos);
  Options service = options_v4();
  service.service_time = {.form = ServiceTime::Form::kConstant, .mean_ns = 1'000};
  EXPECT_NE(conflict_in(service).find("--workers"), std::string::npos);
  Options surge = options_v4();
  surge.rate_per_second = 1'000;
  surge.surge.rate_per_second = 1'000;
  EXPECT_NE(conflict_in(surge).find("--port"), std::string::npos);
  Options faulty = options_v4();
  faulty.workers = 2;
  faulty.faulty_workers.count = 3;
  EXPECT_NE(conflict_in(faulty).find("3 of 2"), std::string::npos);
  faulty.faulty_workers = {.form = FaultyWorkers::Form::kSlow, .count = 1, .times = 10};
  EXPECT_NE(conflict_in(faulty).find("--service-time"), std::string::npos);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{65}}) {
    Options action = options_v4();
    action.action = std::string(bytes, 'a');
    EXPECT_NE(conflict_in(action).find("1 to 64"), std::string::npos) << bytes;
  }
}

}  // namespace
}  // namespace mcplane::loadgen
