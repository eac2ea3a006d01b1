#include "app/load/broker_cost.h"

#include <gtest/gtest.h>

namespace mcplane::app {
namespace {

constexpr std::uint64_t kHz = 2'000'000'000;

TEST(BrokerCost, IsOfWhatCameBetweenTheTwo) {
  const BrokerAccount before{.boot_id = "a", .tasks = 1'000, .busy_ms = 500, .tsc_hz = kHz};
  const BrokerAccount after{.boot_id = "a", .tasks = 3'000, .busy_ms = 501, .tsc_hz = kHz};
  EXPECT_DOUBLE_EQ(cycles_per_task(before, after).value(), 1'000);
}

TEST(BrokerCost, IsUnknownWithoutTasks) {
  const BrokerAccount before{.boot_id = "a", .tasks = 1'000, .busy_ms = 500, .tsc_hz = kHz};
  EXPECT_FALSE(cycles_per_task(before, before));
}

TEST(BrokerCost, IsUnknownOfABrokerStartedAnew) {
  const BrokerAccount before{.boot_id = "a", .tasks = 1'000, .busy_ms = 500, .tsc_hz = kHz};
  const BrokerAccount after{.boot_id = "b", .tasks = 3'000, .busy_ms = 600, .tsc_hz = kHz};
  EXPECT_FALSE(cycles_per_task(before, after));
}

TEST(BrokerCost, NobodyAnswersWhereThereIsNoSocket) { EXPECT_FALSE(ask_broker("/nonexistent/admin.sock")); }

}  // namespace
}  // namespace mcplane::app
