// What the breakers of all workers are up to, as JSON. Control thread.
#pragma once

#include <string>

#include "control/control.h"

namespace mcplane::control {

std::string breakers_json(const Control& control);

}  // namespace mcplane::control
