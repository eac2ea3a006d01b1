// `mcplane-ctl routes`: what clients ask for, who serves it, who waits and what is limited. Main thread.
#pragma once

#include <string_view>

#include "app/ctl/admin.h"

namespace mcplane::app {

// The body of GET /v1/routes as a table.
Parsed<std::string> routes_table(std::string_view body);
// Asks and prints. Returns the exit code.
int run_routes(const AdminFlags& flags);

}  // namespace mcplane::app
