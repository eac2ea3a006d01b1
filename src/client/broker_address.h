// The broker's address as people write it. Start-up only: a host name asks the resolver, which may block.
#pragma once

#include <string>
#include <string_view>

#include "wire/address.h"

namespace mcplane::client {

// "10.0.0.1", "10.0.0.1:4800", "fd00::1", "[fd00::1]:4800", "broker.lan", "broker.lan:4800"; the port defaults to
// kDefaultPort. Throws std::runtime_error, one line that says what to type instead.
wire::Endpoint parse_broker_address(std::string_view text);

}  // namespace mcplane::client
