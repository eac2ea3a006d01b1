// Reading the configuration again while the appliance runs: for the admin socket, and on SIGHUP.
#pragma once

#include "app/config/config.h"
#include "control/admin/config.h"
#include "control/control.h"

namespace mcplane::app {

// What the admin socket's server reads texts with. `config` is copied.
control::ConfigHooks config_hooks(const ApplianceConfig& config);

// Reads --config anew and has control apply it for good. What is wrong with it goes to stderr, a line each, and what
// ran goes on. Main thread.
void reload(control::Control& control, const ApplianceConfig& config);

}  // namespace mcplane::app
