// `mcplane-ctl tasks` and `mcplane-ctl explain`: tasks that have not ended, and why each worker may or may not have
// one. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/ctl/admin.h"

namespace mcplane::app {

struct TasksFlags {
  AdminFlags admin;
  std::string route, state;  // "": any
  std::uint32_t limit = 100;
};

struct ExplainFlags {
  AdminFlags admin;
  std::string task;
};

void add_tasks_flags(CLI::App& command, TasksFlags& flags);
void add_explain_flags(CLI::App& command, ExplainFlags& flags);

Request tasks_request(const TasksFlags& flags);
// A token is asked for as it is, anything else by the id that it is on the wire.
Request explain_request(const ExplainFlags& flags);

// The bodies of GET /v1/tasks and GET /v1/tasks/ID.
Parsed<std::string> tasks_table(std::string_view body);
Parsed<std::string> explanation(std::string_view body);

// Ask and print. Return the exit code.
int run_tasks(const TasksFlags& flags);
int run_explain(const ExplainFlags& flags);

}  // namespace mcplane::app
