// What the client's and the worker's shells share when they start. Start-up only; throws std::runtime_error with one
// line that says what was wrong.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/random.h"
#include "client/session.h"
#include "wire/registration.h"

namespace mcplane::client {

// The appliance's default frame size: HELLO is padded to it.
inline constexpr std::uint16_t kMtu = 1500;

// A name for people: `wanted`, or the program's name when that is empty.
std::string endpoint_name(const std::string& wanted);
// With an instance id from the kernel. Refuses what no broker would take.
wire::HelloBody checked_hello(wire::HelloBody hello);
// Seeded by the kernel.
Random random_source();

// After HELLO was sent: refusal is UdpSocket::refusal().
void check_first_send(int refusal, const wire::Endpoint& broker);
[[noreturn]] void throw_unanswered(const std::vector<wire::Endpoint>& brokers, std::chrono::milliseconds waited,
                                   wire::Reason refusal);

}  // namespace mcplane::client
