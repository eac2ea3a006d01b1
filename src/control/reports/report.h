// What the admin socket says, as text. Control thread: each call reads one consistent state of Control.
#pragma once

#include <string>

#include "control/control.h"

namespace mcplane::control {

std::string info_json(const Control& control);
std::string nodes_json(const Control& control);
std::string subscriptions_json(const Control& control);

}  // namespace mcplane::control
