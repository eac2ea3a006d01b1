// What the appliance says of its memory at start. Packet buffers are counted apart: DPDK has their memory.
#pragma once

#include <string>

#include "app/config/config.h"
#include "control/config/options.h"

namespace mcplane::app {

control::MemoryUse memory_of(const ApplianceConfig& config);
// One line.
std::string memory_line(const ApplianceConfig& config);

}  // namespace mcplane::app
