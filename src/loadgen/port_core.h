// The DPDK port of a run and the core that polls it. The calling thread makes the port, waits for the core and ends the
// port.
#pragma once

#include <functional>
#include <string>

#include "loadgen/link.h"
#include "loadgen/options.h"
#include "net/dpdk/port.h"

namespace mcplane::loadgen {

// Runs `body` on the core of options.port, which is set. What it throws is thrown here; throws std::runtime_error with
// one line when there is no such port.
void on_port_core(const Options& options, const std::function<void(net::DpdkPort&)>& body);
LinkOptions link_options(const Options& options);
// Why nobody may have answered in 5 s, one line.
std::string port_unreachable(const Options& options, const Link& link);

}  // namespace mcplane::loadgen
