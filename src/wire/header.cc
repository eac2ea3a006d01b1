// What a header alone can prove about its datagram. The rules of each type are one line of a table.
#include "wire/header.h"

#include "base/check.h"

namespace mcplane::wire {
namespace {

// What follows the lead.
enum class Body : std::uint8_t {
  kNothing,
  kHello,  // cookie, table, padding
  kCookie,
  kAck,     // Welcome when it answers HELLO, else entries
  kTask,    // table and payload, of part 0; payload
  kAnswer,  // payload
  kBitmap,
  kTable,
  kEvent,  // table and payload
};

struct TypeRules {
  Body body = Body::kNothing;
  bool session = true;  // must name one
  bool ttl = false;     // must be over 0
  bool attempt = false;
};

constexpr std::size_t kTypes = raw(FrameType::MAX) + std::size_t{1};

constexpr std::array<TypeRules, kTypes> kRules = [] {
  std::array<TypeRules, kTypes> rules{};
  const auto of = [&rules](FrameType type) -> TypeRules& { return rules[raw(type)]; };
  of(FrameType::Hello) = {.body = Body::kHello, .session = false};
  of(FrameType::Retry) = {.body = Body::kCookie, .session = false};
  of(FrameType::Ack) = {.body = Body::kAck};
  of(FrameType::Send) = {.body = Body::kTask, .ttl = true};
  of(FrameType::Route) = {.body = Body::kTask, .ttl = true, .attempt = true};
  of(FrameType::Result) = {.body = Body::kAnswer, .attempt = true};
  of(FrameType::Deliver) = {.body = Body::kAnswer, .attempt = true};
  of(FrameType::Grant) = {.body = Body::kBitmap, .attempt = true};
  of(FrameType::Resend) = {};
  of(FrameType::Subscribe) = {.body = Body::kTable};
  of(FrameType::Publish) = {.body = Body::kEvent};
  of(FrameType::Event) = {.body = Body::kEvent};
  return rules;
}();

DropReason check_exact_length(std::size_t got, std::size_t want) noexcept {
  return got == want ? DropReason::kNone : DropReason::kBadLength;
}

// Part 0 has the table, the others a token; the message is longer than any part of it but the only one. `behind` is
// what follows the lead.
DropReason check_task(const Header& header, std::size_t behind) noexcept {
  const std::size_t table = header.table_length(), whole = header.message_length();
  if (header.fragment_index() != 0)
    return table == 0 && header.token_generation() != 0 && behind > 0 && behind < whole ? DropReason::kNone
                                                                                        : DropReason::kBadFragment;
  if (table == 0) return DropReason::kBadTable;
  return table <= behind && behind <= whole ? DropReason::kNone : DropReason::kBadLength;
}

DropReason check_lengths(const Header& header, Body body, std::size_t behind) noexcept {
  const std::size_t table = header.table_length();
  if (table % 4 != 0 || table > kTableBytesMax) return DropReason::kBadTable;
  if (header.message_length() > kMessageBytesMax) return DropReason::kBadLength;
  switch (body) {
    case Body::kNothing:
      return check_exact_length(table + behind, 0);
    case Body::kCookie:
      return check_exact_length(table + behind, kCookieBytes);
    case Body::kAck:
      if (header.answers() == FrameType::Hello) return check_exact_length(table + behind, sizeof(fb::Welcome));
      if (behind % sizeof(fb::AckEntry) != 0) return DropReason::kBadLength;
      return check_exact_length(table + behind, header.message_length());
    case Body::kHello:
      if (table == 0) return DropReason::kBadTable;
      return kCookieBytes + table <= behind ? DropReason::kNone : DropReason::kBadLength;
    case Body::kTask:
      return check_task(header, behind);
    case Body::kAnswer:
      if (table != 0) return DropReason::kBadTable;
      return check_exact_length(header.message_length(), behind);
    case Body::kBitmap:
      if (table != 0) return DropReason::kBadTable;
      if (behind % 4 != 0 || behind > kGrantBitmapBytesMax) return DropReason::kBadLength;
      return check_exact_length(header.message_length(), behind);
    case Body::kTable:
      if (table == 0) return DropReason::kBadTable;
      if (header.message_length() != table) return DropReason::kBadLength;
      return check_exact_length(table, behind);
    case Body::kEvent:
      if (table == 0) return DropReason::kBadTable;
      if (table > behind) return DropReason::kBadLength;
      return check_exact_length(header.message_length(), behind);
  }
  return DropReason::kBadType;
}

bool fields_in_range(const Header& header, const TypeRules& rules) noexcept {
  if (header.reason() > Reason::MAX || header.executed() > Executed::MAX || header.answers() > FrameType::MAX)
    return false;
  // A HELLO may be refused before it has a session.
  const bool refused_hello = header.type() == FrameType::Reject && header.answers() == FrameType::Hello;
  if (rules.session && header.session() == 0 && !refused_hello) return false;
  if (rules.ttl && header.ttl_ms() == 0) return false;
  if (header.type() == FrameType::Grant && header.ttl_ms() > 0xffff) return false;
  // The broker itself makes degraded answers, without an attempt.
  const bool from_broker = header.type() == FrameType::Deliver && has(header.flags(), Flag::Degraded);
  if (from_broker && (header.ttl_ms() == 0 || header.ttl_ms() > raw(Substitute::MAX))) return false;
  return !rules.attempt || header.attempt() != 0 || from_broker;
}

}  // namespace

Header& begin_datagram(std::span<std::byte> datagram, FrameType type) noexcept {
  DCHECK(datagram.size() >= kLeadBytes);
  std::memcpy(datagram.data(), kMagic.data(), kMagicBytes);
  std::memset(datagram.data() + kMagicBytes, 0, kHeaderBytes);
  Header& header = header_of(datagram);
  header.mutate_version(kVersion);
  header.mutate_type(type);
  return header;
}

DropReason check_datagram(std::span<const std::byte> datagram) noexcept {
  if (datagram.size() < kLeadBytes) return DropReason::kShortHeader;
  DCHECK(reinterpret_cast<std::uintptr_t>(datagram.data()) % alignof(Header) == kMagicBytes);
  if (std::memcmp(datagram.data(), kMagic.data(), kMagicBytes) != 0) return DropReason::kBadMagic;
  const Header& header = header_of(datagram);
  if (header.version() != kVersion) return DropReason::kBadVersion;
  const FrameType type = header.type();
  if (type == FrameType::None || type > FrameType::MAX) return DropReason::kBadType;
  if ((header.flags() & kUnknownFlags) != 0) return DropReason::kBadFlags;
  if (has(header.flags(), Flag::Sealed)) return DropReason::kSealed;
  const TypeRules& rules = kRules[raw(type)];
  const DropReason lengths = check_lengths(header, rules.body, datagram.size() - kLeadBytes);
  if (lengths != DropReason::kNone) return lengths;
  return fields_in_range(header, rules) ? DropReason::kNone : DropReason::kBadField;
}

std::span<const std::byte> payload_of(std::span<const std::byte> datagram) noexcept {
  const auto table = table_of(datagram);
  return datagram.subspan(static_cast<std::size_t>(table.data() - datagram.data()) + table.size());
}

std::string_view reason_word(Reason reason) noexcept {
  constexpr std::array<std::string_view, raw(Reason::MAX) + std::size_t{1}> kWords = {
      "ok",        "unknown_session", "unsupported", "malformed",   "no_worker",   "queue_full",   "table_full",
      "too_large", "draining",        "expired",     "worker_lost", "cancelled",   "worker_error", "discard",
      "stopped",   "running",         "held",        "overloaded",  "rate_limited"};
  const auto index = std::size_t{raw(reason)};
  return index < kWords.size() ? kWords[index] : "unknown";
}

}  // namespace mcplane::wire
