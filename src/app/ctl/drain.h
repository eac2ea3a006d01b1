// `mcplane-ctl drain`: no new tasks for one worker, and waits until it holds none. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/ctl/admin.h"
#include "base/types.h"

namespace mcplane::app {

struct DrainFlags {
  AdminFlags admin;
  std::string node;
  bool undo = false;
  std::uint64_t timeout_ns = 5 * 60 * kNsPerSecond;
};

void add_drain_flags(CLI::App& command, DrainFlags& flags);

// Tasks that the node holds, by the body of GET /v1/nodes; nothing when it is not registered any more.
std::optional<std::uint64_t> tasks_held(std::string_view nodes, const std::string& node);

// Returns the exit code.
int run_drain(const DrainFlags& flags);

}  // namespace mcplane::app
