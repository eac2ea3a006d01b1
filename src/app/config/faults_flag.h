// What --faults says: NAME=VALUE between commas. Pure.
#pragma once

#include <string_view>

#include "app/command_line/units.h"
#include "net/faults.h"

namespace mcplane::app {

// "loss=0.3,duplicate=0.1,reorder=0.1,corrupt=0.01,seed=7,withhold=100": any of them, each once.
Parsed<net::Faults> parse_faults(std::string_view typed);

}  // namespace mcplane::app
