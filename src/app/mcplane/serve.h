// An appliance until a signal ends it. Main thread.
//
//   HUP        reads the configuration file again; without one it ends the process
//   USR1       opens its files anew, once a log rotator has moved them away
//   USR2       refuses new tasks and sessions; the next one takes that back
//   QUIT       writes what the appliance knows of itself, and goes on
//   TERM, INT  refuse new tasks, wait for those in flight and end; the next one ends at once
#pragma once

#include "app/config/config.h"

namespace mcplane::app {

// Returns the exit code. Throws std::runtime_error with one line when the appliance cannot be had.
int serve(const ApplianceConfig& config);

}  // namespace mcplane::app
