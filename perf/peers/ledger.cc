// Requests as numbers: client in bits 48 to 63, slot in 32 to 47, the slot's sequence below.
#include "ledger.h"

#include <charconv>

namespace mcplane::peers {

namespace {

std::uint64_t number_of(std::uint32_t client, std::uint32_t slot, std::uint32_t sequence) noexcept {
  return std::uint64_t{client} << 48 | std::uint64_t{slot} << 32 | sequence;
}

// The number in the pattern's first 16 bytes, in hex.
std::optional<std::uint64_t> number_in(std::string_view payload) noexcept {
  if (payload.size() < loadgen::kPromptBytesMin) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = payload.data() + 16;
  const auto read = std::from_chars(payload.data(), end, number, 16);
  return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
}

}  // namespace

Ledger::Ledger(std::uint32_t clients, std::uint32_t window, std::size_t payload_bytes, std::uint64_t seed)
    : clients_(clients), window_(window), pattern_(seed, payload_bytes), slots_(std::size_t{clients} * window) {}

Ledger::Slot& Ledger::slot_of(std::uint32_t client, std::uint32_t slot) noexcept {
  return slots_[std::size_t{client} * window_ + slot];
}

void Ledger::begin(std::uint32_t client, std::uint32_t slot, std::span<char> payload, std::uint64_t now_ns) noexcept {
  Slot& request = slot_of(client, slot);
  ++request.sequence;
  request.in_flight = true;
  request.sent_ns = now_ns;
  ++sent_;
  ++in_flight_;
  pattern_.write(payload, number_of(client, slot, request.sequence));
}

std::optional<std::uint32_t> Ledger::finish(std::uint32_t client, std::string_view answer, std::uint64_t now_ns,
                                            std::optional<std::uint32_t> addressed) noexcept {
  const auto number = number_in(answer);
  const auto slot = static_cast<std::uint32_t>(number.value_or(0) >> 32 & 0xffff);
  if (!number || *number >> 48 != client || slot >= window_ || addressed.value_or(slot) != slot) {
    ++wrong_;
    return std::nullopt;
  }
  Slot& request = slot_of(client, slot);
  if (!request.in_flight || *number != number_of(client, slot, request.sequence)) {
    ++duplicates_;
    return std::nullopt;
  }
  request.in_flight = false;
  --in_flight_;
  latency_ns_.record(now_ns - request.sent_ns);
  if (!pattern_.matches(answer, *number)) ++wrong_;
  return slot;
}

void Ledger::start_measuring() noexcept { latency_ns_.clear(); }

}  // namespace mcplane::peers
