// What --port says: KIND:NAME, with ",queues=N" where fewer queue pairs than cores are wanted. Pure.
#pragma once

#include <string_view>

#include "app/command_line/units.h"
#include "net/dpdk/device.h"

namespace mcplane::app {

// "tap:mc0", "vhost:/run/a.sock", "af_xdp:eth0,queues=1", "pci:0000:3b:00.0". queues is 0 where the text names none;
// mtu and role are the caller's to fill.
Parsed<net::DeviceSpec> parse_port(std::string_view typed);

}  // namespace mcplane::app
