// `mcplane-ctl autoscale`: how busy each pool of workers is, and how many workers it should have. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/ctl/admin.h"

namespace mcplane::app {

// The body of GET /v1/autoscale as a table.
Parsed<std::string> autoscale_table(std::string_view body);
// Asks and prints. Returns the exit code.
int run_autoscale(const AdminFlags& flags);

}  // namespace mcplane::app
