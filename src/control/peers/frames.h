// The MCP frames that the control thread sends, as Transmit commands: ACK or REJECT of HELLO, of SUBSCRIBE and
// UNSUBSCRIBE, BYE's ACK, and PING.
// Pure; checksums are computed in full, so any core may send them.
#pragma once

#include <cstdint>

#include "state/messages.h"

namespace mcplane::control {

// How a peer was reached, and therefore reaches us back: NAT and firewalls on the way admit no other.
struct Path {
  PortId port{};
  wire::MacAddress local_mac{}, peer_mac{};
  std::uint16_t vlan = wire::kNoVlan;
  wire::Endpoint local, peer;

  wire::LowerHeaders headers() const noexcept {
    return wire::make_lower_headers(local_mac, peer_mac, vlan, local, peer);
  }
};

// What header fields say of a session.
struct Grant {
  SessionId session;
  bool worker = false;
  std::uint32_t boot_id = 0;
  wire::Id16 instance{};  // whose HELLO was answered
};

// Answers to a HELLO name its number.
state::Command welcome_frame(const Path& path, std::uint32_t hello, const Grant& grant,
                             const wire::fb::Welcome& welcome) noexcept;
// To a frame of type `answers` with that sequence.
state::Command ack_frame(const Path& path, wire::FrameType answers, std::uint32_t sequence,
                         const Grant& grant) noexcept;
state::Command reject_frame(const Path& path, wire::FrameType answers, std::uint32_t sequence, const Grant& grant,
                            wire::Reason reason, std::uint32_t retry_after_ms) noexcept;
// Asks the endpoint to say that it is there.
state::Command ping_frame(const Path& path, const Grant& grant) noexcept;

}  // namespace mcplane::control
