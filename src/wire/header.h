// The MCP header as it lies in a datagram: magic, then a FlatBuffers struct read and rewritten in place.
// schemas/README.md draws it byte by byte. Pure functions over bytes; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/drop_reason.h"
#include "base/types.h"
#include "mcp_generated.h"

namespace mcplane::wire {

using fb::Executed;
using fb::Flag;
using fb::FrameType;
using fb::Header;
using fb::Reason;
using fb::Substitute;

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::array<std::byte, 2> kMagic = {std::byte{'M'}, std::byte{'C'}};
inline constexpr std::size_t kMagicBytes = kMagic.size();
inline constexpr std::size_t kHeaderBytes = sizeof(Header);
// Magic and header: what every datagram starts with. The table or payload follows.
inline constexpr std::size_t kLeadBytes = kMagicBytes + kHeaderBytes;
inline constexpr std::size_t kCookieBytes = sizeof(fb::Cookie);
inline constexpr std::size_t kTableBytesMax = 1024;
inline constexpr std::size_t kMessageBytesMax = std::size_t{16} << 20;
inline constexpr std::uint8_t kPriorities = 4;

static_assert(kHeaderBytes == 96 && alignof(Header) == 4);

using Id16 = std::array<std::uint8_t, 16>;

// Header of a datagram that is known to hold at least kLeadBytes.
inline Header& header_of(std::span<std::byte> datagram) noexcept {
  return *reinterpret_cast<Header*>(datagram.data() + kMagicBytes);
}
inline const Header& header_of(std::span<const std::byte> datagram) noexcept {
  return *reinterpret_cast<const Header*>(datagram.data() + kMagicBytes);
}

constexpr bool has(std::uint16_t flags, Flag flag) noexcept { return (flags & raw(flag)) != 0; }
constexpr bool is_shadow(std::uint16_t flags) noexcept { return has(flags, Flag::Shadow); }
// No frame may have one of them; the top two bits are the priority.
inline constexpr std::uint16_t kUnknownFlags = static_cast<std::uint16_t>(~(raw(Flag::ANY) | 0xc000U));
constexpr std::uint8_t priority_of(std::uint16_t flags) noexcept { return static_cast<std::uint8_t>(flags >> 14); }
constexpr std::uint16_t with_priority(std::uint16_t flags, std::uint8_t priority) noexcept {
  return static_cast<std::uint16_t>((flags & 0x3fffU) | (unsigned{priority} << 14));
}
// Of a SEND.
constexpr std::uint16_t send_flags(bool idempotent, bool shadow, std::uint8_t priority) noexcept {
  const unsigned flags = (idempotent ? raw(Flag::Idempotent) : 0U) | (shadow ? raw(Flag::Shadow) : 0U);
  return with_priority(static_cast<std::uint16_t>(flags), priority);
}

inline TaskToken token_of(const Header& header) noexcept { return {header.token_index(), header.token_generation()}; }
inline void set_token(Header& header, TaskToken token) noexcept {
  header.mutate_token_index(token.location);
  header.mutate_token_generation(token.generation);
}

// The session that an endpoint sends this frame as: a worker's RESULT, its GRANT of a task's parts, and its ACK of what
// only workers get, name it beside the client's.
inline SessionId sender_of(const Header& header) noexcept {
  const auto is_worker = [&header] {
    switch (header.type()) {
      case FrameType::Send:
        return false;
      case FrameType::Result:
        return true;
      case FrameType::Ack:
        return header.answers() == FrameType::Route ||
               (header.answers() == FrameType::Cancel && header.worker_session() != 0);
      case FrameType::Grant:
        return header.answers() == FrameType::Send;
      default:
        return false;
    }
  };
  return {is_worker() ? header.worker_session() : header.session()};
}

// ROUTE and CANCEL to a worker: counts what a shard assigned to this worker's session, from 1.
inline std::uint32_t route_number(const Header& header) noexcept { return header.queued_us(); }
inline void set_route_number(Header& header, std::uint32_t number) noexcept { header.mutate_queued_us(number); }

// Whether a sound SEND or ROUTE is not its whole message. `behind`: bytes behind the lead.
inline bool is_task_part(const Header& header, std::size_t behind) noexcept {
  return header.message_length() != behind;
}
// Whether a sound RESULT or DELIVER has more behind it, or surely something before it: part numbers count round, so the
// last part of a long answer may look like a whole one.
inline bool is_answer_part(const Header& header) noexcept {
  return header.fragment_index() != 0 || has(header.flags(), Flag::More);
}

// GRANT: all parts before `next` have come; those before `limit` may be sent. Part numbers count round.
inline std::uint16_t grant_next(const Header& header) noexcept { return header.fragment_index(); }
inline std::uint16_t grant_limit(const Header& header) noexcept { return static_cast<std::uint16_t>(header.ttl_ms()); }
inline void set_grant(Header& header, std::uint16_t next, std::uint16_t limit) noexcept {
  header.mutate_fragment_index(next);
  header.mutate_ttl_ms(limit);
}
// Behind a GRANT: bit i says that part next + 1 + i has come, in words of 32 bits.
inline constexpr std::size_t kGrantBitmapBytesMax = 128;
// Parts of an answer that may be sent before its first GRANT. Of a task only part 0 may.
inline constexpr std::uint16_t kUnscheduledParts = 16;

// PING: what the endpoint measured of the round trip, microseconds; srtt 0: nothing yet.
inline std::uint32_t ping_srtt_us(const Header& header) noexcept { return header.queued_us(); }
inline std::uint32_t ping_rttvar_us(const Header& header) noexcept { return header.worker_us(); }
inline void set_ping_rtt(Header& header, std::uint32_t srtt_us, std::uint32_t rttvar_us) noexcept {
  header.mutate_queued_us(srtt_us);
  header.mutate_worker_us(rttvar_us);
}

// PONG: how long either end may hold an acknowledgement back from now on, microseconds; 0: as before.
inline std::uint32_t pong_ack_delay_us(const Header& header) noexcept { return header.queued_us(); }
inline void set_pong_ack_delay_us(Header& header, std::uint32_t delay_us) noexcept {
  header.mutate_queued_us(delay_us);
}

// SEND, and the ROUTE made from it: tasks with the same key go to the same worker where the route's policy is prefix;
// 0: none.
inline std::uint32_t affinity_of(const Header& header) noexcept { return header.worker_us(); }
inline void set_affinity(Header& header, std::uint32_t key) noexcept { header.mutate_worker_us(key); }

// REJECT of a SEND: slots of the workers that could have had the task, and how many of them were free lately.
inline std::uint32_t slots_of(const Header& header) noexcept { return header.queued_us(); }
inline std::uint32_t free_slots_of(const Header& header) noexcept { return header.worker_us(); }
inline void set_slots(Header& header, std::uint32_t all, std::uint32_t free) noexcept {
  header.mutate_queued_us(all);
  header.mutate_worker_us(free);
}

// DELIVER: what it is in the place of an answer by the workers asked for.
inline Substitute substitute_of(const Header& header) noexcept {
  return has(header.flags(), Flag::Degraded) ? static_cast<Substitute>(header.ttl_ms()) : Substitute::None;
}
inline void set_substitute(Header& header, Substitute substitute) noexcept {
  header.mutate_flags(static_cast<std::uint16_t>(header.flags() | raw(Flag::Degraded)));
  header.mutate_ttl_ms(raw(substitute));
}

inline constexpr std::size_t kSubstitutes = raw(Substitute::MAX) + std::size_t{1};
// For people, and in configuration.
inline constexpr std::array<std::string_view, kSubstitutes> kSubstituteNames = {"", "cached", "fallback", "reply",
                                                                                "skip"};

// A short word for people: "no_worker", "queue_full", ...
std::string_view reason_word(Reason reason) noexcept;

inline Id16 task_id_of(const Header& header) noexcept {
  Id16 id;
  std::memcpy(id.data(), header.task_id()->Data(), id.size());
  return id;
}

// Writes the magic and a zeroed header of `type`; the span holds at least kLeadBytes and starts 2 mod 4.
Header& begin_datagram(std::span<std::byte> datagram, FrameType type) noexcept;

// Checks everything about a datagram that its header alone can tell, in the decoder's fixed order:
// length, magic, version, type, flags, sealed, lengths, fragment fields, ranges by type. The table and the
// payload are not looked at. kNone when it is sound.
DropReason check_datagram(std::span<const std::byte> datagram) noexcept;

// Whether the datagram, of at least kLeadBytes, is a whole SEND without a fault, or a whole RESULT of a task that went
// well: nearly every frame there is, in one look. Those check_datagram() finds sound; the others are its to judge.
[[gnu::always_inline]] inline bool is_plain_task(const std::byte* datagram, std::uint16_t bytes) noexcept {
  // How it starts: magic, version, type, flags, reason, executed. Of these flags and executed may vary.
  using Start = std::array<std::uint8_t, 8>;
  constexpr auto start_of = [](FrameType type) {
    return std::bit_cast<std::uint64_t>(Start{'M', 'C', kVersion, raw(type), 0, 0, raw(Reason::Ok), 0});
  };
  constexpr std::uint64_t kSend = start_of(FrameType::Send), kResult = start_of(FrameType::Result);
  constexpr auto kPlainFlags = static_cast<std::uint16_t>(~(kUnknownFlags | raw(Flag::Sealed) | raw(Flag::More)));
  constexpr auto kVaries =
      std::bit_cast<std::uint64_t>(Start{0, 0, 0, 0, static_cast<std::uint8_t>(kPlainFlags),
                                         static_cast<std::uint8_t>(kPlainFlags >> 8), 0, raw(Executed::MAX)});
  static_assert(raw(Executed::MAX) == 3, "each value of its bits is one of Executed's");
  static_assert(kMessageBytesMax > 0xffff, "no datagram is longer than a message may be");

  std::uint64_t start;
  std::memcpy(&start, datagram, sizeof start);
  start &= ~kVaries;
  const bool send = start == kSend;
  if (!send && start != kResult) return false;
  const Header& header = *reinterpret_cast<const Header*>(datagram + kMagicBytes);
  const std::uint32_t table = header.table_length(), behind = bytes - std::uint32_t{kLeadBytes};
  const std::uint32_t wrong =
      (table % 4) | (header.message_length() ^ behind) | header.fragment_index() | raw(header.answers());
  if (wrong != 0 || header.session() == 0) return false;
  return send ? table != 0 && table <= kTableBytesMax && table <= behind && header.ttl_ms() != 0
              : table == 0 && header.attempt() != 0;
}

// Bytes behind the header that are the table (empty when there is none), and those behind it.
// The datagram passed check_datagram().
inline std::span<const std::byte> table_of(std::span<const std::byte> datagram) noexcept {
  const Header& header = header_of(datagram);
  const std::size_t start = header.type() == FrameType::Hello ? kLeadBytes + kCookieBytes : kLeadBytes;
  return datagram.subspan(start, header.table_length());
}
std::span<const std::byte> payload_of(std::span<const std::byte> datagram) noexcept;

}  // namespace mcplane::wire
