// What the cores measured of themselves (dataplane/loop_sampler.h), as JSON: cycles by station, and how long frames
// stayed. Control thread.
#pragma once

#include <string>

#include "control/control.h"

namespace mcplane::control {

// The run of measurements that goes on, or the last one.
std::string perf_json(const Control& control);

}  // namespace mcplane::control
