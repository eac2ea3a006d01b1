// "Port unreachable" (RFC 792, RFC 4443 3.1): a host says that nobody listens at a port of its that we sent to, and
// quotes the beginning of what we sent. Pure; the control thread calls it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/types.h"
#include "wire/datagram.h"

namespace mcplane::wire {

// Of a ROUTE that came to a closed port.
struct ClosedPort {
  Endpoint peer;  // where it was sent to; that host says so itself
  std::uint32_t boot_id = 0;
  SessionId worker;
};

// frame: passed parse_frame() as kControl, yet is parsed defensively. nullopt unless it is of the host that the quoted
// frame was sent to, and quotes so much of a ROUTE of ours that it names boot id and session: who has not seen one does
// not know them.
std::optional<ClosedPort> read_closed_port(std::span<const std::byte> frame, const LocalAddresses& local) noexcept;

}  // namespace mcplane::wire
