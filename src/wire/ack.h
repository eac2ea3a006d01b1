// Entries of an ACK: each acknowledges one more frame of the type that the header's `answers` says. What their two
// numbers are is in schemas/README.md. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/header.h"

namespace mcplane::wire {

using fb::AckEntry;

// The entries of an ACK that passed check_datagram() and does not answer a HELLO.
inline std::span<const AckEntry> ack_entries(std::span<const std::byte> datagram) noexcept {
  const auto behind = datagram.subspan(kLeadBytes);
  return {reinterpret_cast<const AckEntry*>(behind.data()), behind.size() / sizeof(AckEntry)};
}

// Appends an entry behind an ACK of `length` bytes and returns its new length. The span has room for it.
inline std::size_t append_ack_entry(std::span<std::byte> datagram, std::size_t length, std::uint32_t name,
                                    std::uint32_t number) noexcept {
  const AckEntry entry(name, number);
  std::memcpy(datagram.data() + length, &entry, sizeof entry);
  Header& header = header_of(datagram);
  header.mutate_message_length(header.message_length() + sizeof entry);
  return length + sizeof entry;
}

// Entries in an ACK of at most that many bytes.
constexpr std::size_t ack_entries_max(std::size_t datagram_bytes) noexcept {
  return (datagram_bytes - kLeadBytes) / sizeof(AckEntry);
}

}  // namespace mcplane::wire
