// Why a received frame was let go. Every such drop is counted under exactly one of these;
// the name is the `reason` label of mcplane_frames_dropped_total.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mcplane {

enum class DropReason : std::uint8_t {
  kNone,
  // Ethernet and IP, in the order they are checked.
  kShortFrame,
  kNotForUs,
  kUnknownEtherType,
  kNestedVlan,
  kChainedBuffer,
  kBadIpHeader,
  kBadIpChecksum,
  kIpFragment,
  kIpExtension,
  kUnknownProtocol,
  kBadUdpLength,
  kBadUdpChecksum,
  kUnknownPort,
  kBadArp,
  kBadIcmp,
  // MCP header.
  kShortHeader,
  kBadMagic,
  kBadVersion,
  kBadType,
  kBadFlags,
  kBadLength,
  kSealed,
  kBadFragment,
  kBadField,
  kBadTable,
  kUnsupportedType,
  // Sessions and tasks.
  kUnknownSession,
  kWrongSource,
  kWrongService,
  kBadSlot,
  kStaleSequence,
  kDuplicate,
  kStaleToken,
  kUnexpectedAck,
  // Room.
  kQueueFull,
  kEventsFull,
  kMailboxFull,
  kHandoffFull,
  kCount
};

inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(DropReason::kCount);

inline constexpr std::array<std::string_view, kDropReasons> kDropReasonNames = {"none",
                                                                                "short_frame",
                                                                                "not_for_us",
                                                                                "unknown_ether_type",
                                                                                "nested_vlan",
                                                                                "chained_buffer",
                                                                                "bad_ip_header",
                                                                                "bad_ip_checksum",
                                                                                "ip_fragment",
                                                                                "ip_extension",
                                                                                "unknown_protocol",
                                                                                "bad_udp_length",
                                                                                "bad_udp_checksum",
                                                                                "unknown_port",
                                                                                "bad_arp",
                                                                                "bad_icmp",
                                                                                "short_header",
                                                                                "bad_magic",
                                                                                "bad_version",
                                                                                "bad_type",
                                                                                "bad_flags",
                                                                                "bad_length",
                                                                                "sealed",
                                                                                "bad_fragment",
                                                                                "bad_field",
                                                                                "bad_table",
                                                                                "unsupported_type",
                                                                                "unknown_session",
                                                                                "wrong_source",
                                                                                "wrong_service",
                                                                                "bad_slot",
                                                                                "stale_sequence",
                                                                                "duplicate",
                                                                                "stale_token",
                                                                                "unexpected_ack",
                                                                                "queue_full",
                                                                                "events_full",
                                                                                "mailbox_full",
                                                                                "handoff_full"};

constexpr std::string_view name_of(DropReason reason) noexcept {
  return kDropReasonNames[static_cast<std::size_t>(reason)];
}

}  // namespace mcplane
