// The broker's address as people write it. Start-up only: a host name asks the resolver, which may block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/address.h"

namespace mcplane::client {

// "10.0.0.1", "10.0.0.1:4800", "fd00::1", "[fd00::1]:4800", "broker.lan", "broker.lan:4800"; the port defaults to
// kDefaultPort. Throws std::runtime_error, one line that says what to type instead.
wire::Endpoint parse_broker_address(std::string_view text);
// One or several of them, separated by commas: all of one IP version, none twice. Throws as above.
std::vector<wire::Endpoint> parse_broker_list(std::string_view text);
// "10.0.0.1:4800 or 10.0.0.2:4800".
std::string to_string(const std::vector<wire::Endpoint>& brokers);

}  // namespace mcplane::client
