// What a port needs of the machine, and whether it is there: one table of checks, each a pure function of the machine
// and the port. Main thread.
//
// If you add a check, also add: its row in kChecks, a case to tests/unit/app/mcplane/doctor_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/mcplane/machine.h"
#include "net/dpdk/device.h"

namespace mcplane::app {

// What was seen, and the command that mends it; "" where no command does.
struct Finding {
  bool good = false;
  std::string seen;
  std::string fix;
};

// kWarn: the port works, but worse than it could.  kSkip: it does without.
enum class Health : std::uint8_t { kPass, kWarn, kFail, kSkip };

struct Diagnosis {
  std::string_view name;
  Health health = Health::kPass;
  Finding finding;
};

std::string_view name_of(Health health) noexcept;
// In the order in which one would mend it.
std::vector<Diagnosis> examine(const Machine& machine, const net::DeviceSpec& port);
// No check failed.
bool fit(const std::vector<Diagnosis>& diagnoses) noexcept;

}  // namespace mcplane::app
