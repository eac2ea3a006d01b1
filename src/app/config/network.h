// The Network flags of `mcplane`: ports with their addresses, cores, sizes. See config.h.
#pragma once

#include <string>

#include "app/config/config.h"

namespace mcplane::app {

// Flags. --ip and --mac belong to the --port before them; before the first --port, to that one.
void add_network_flags(CLI::App& app, ApplianceConfig& config);
// What is missing; empty: nothing.
std::string missing_network(const ApplianceConfig& config);
// Fills what follows from other flags: queues, MACs, gateways' ports. Returns one line when flags contradict each
// other.
std::string settle_network(ApplianceConfig& config);

}  // namespace mcplane::app
