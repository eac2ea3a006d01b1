// Which routes are degraded, how and since when, as JSON. Control thread.
#pragma once

#include <string>

#include "control/control.h"

namespace mcplane::control {

std::string degradation_json(const Control& control);

}  // namespace mcplane::control
