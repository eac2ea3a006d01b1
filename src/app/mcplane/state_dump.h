// What SIGQUIT writes: what the admin socket would say, and how the cores' loops stand, as one line of JSON. Also when
// the control thread does not answer: then it says that, and the rest.
#pragma once

#include "app/appliance/appliance.h"
#include "app/config/config.h"

namespace mcplane::app {

// To --dump-file, whose last content it replaces, or to stderr. Main thread.
void write_state_dump(Appliance& appliance, const ApplianceConfig& config);

}  // namespace mcplane::app
