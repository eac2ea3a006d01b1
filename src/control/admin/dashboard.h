// The page at `/`: hand-written files of admin/dashboard, which embed.py puts into the binary. It asks for nothing but
// /v1/live of the server that it came from.
#pragma once

#include <span>

namespace httplib {
class Server;
}

namespace mcplane::control {

struct DashboardFile {
  const char *path, *type, *content;
};
std::span<const DashboardFile> dashboard_files();

void serve_dashboard(httplib::Server& server);

}  // namespace mcplane::control
