// What the breakers of all workers are up to, as JSON, and those of their actions that are not simply closed ("action"
// is empty for the worker's own). Control thread.
#pragma once

#include <string>

#include "control/control.h"

namespace mcplane::control {

std::string breakers_json(const Control& control);

}  // namespace mcplane::control
