// `mcplane-ctl status` and `mcplane-ctl nodes`: what the appliance says on its admin socket, as tables for people or
// as the JSON it sent. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/cli.h"

namespace mcplane::app {

struct AdminFlags {
  std::string path = "/run/mcplane/admin.sock";
  bool json = false;
};

void add_admin_flags(CLI::App& command, AdminFlags& flags);

// Tables of the bodies of GET /v1/info and GET /v1/nodes; an error when the body is not what they send.
Parsed<std::string> status_table(std::string_view body);
Parsed<std::string> nodes_table(std::string_view body);

// Ask and print. Return the exit code.
int run_status(const AdminFlags& flags);
int run_nodes(const AdminFlags& flags);

}  // namespace mcplane::app
