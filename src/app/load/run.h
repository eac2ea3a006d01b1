// What a command line asks for, run and reported. The load runs on threads of its own, over a port on a core; the main
// thread shows progress and takes signals. INT and TERM end the run early, and what was measured is still reported.
#pragma once

#include <string>

#include "app/load/config.h"

namespace mcplane::app {

// `command_line`: as it was typed, for the report. Returns the exit code. Main thread.
int run_load(const LoadCommand& command, const std::string& command_line);

}  // namespace mcplane::app
