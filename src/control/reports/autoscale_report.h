// GET /v1/autoscale: of each pool of production what it does, and how many workers it should have. Control thread.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "control/control.h"

namespace mcplane::control {

// At most so many of them.
nlohmann::ordered_json pools_json(const Control& control, std::size_t most);
// JSON, one line.
std::string autoscale_json(const Control& control);

}  // namespace mcplane::control
