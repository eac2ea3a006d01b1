// 8-4-4-4-12 hexadecimal digits are a UUID; everything else is hashed. The hash keys are public: the hash spreads ids,
// it does not hide them.
#include "client/task_id.h"

#include <bit>
#include <cstring>

#include "base/siphash.h"

namespace mcplane::client {

namespace {

constexpr std::size_t kUuidChars = 36;
constexpr SipKey kLowKey = {0x6d63706c616e6531ULL, 0x7461736b2d69642dULL};
constexpr SipKey kHighKey = {0x6d63706c616e6532ULL, 0x7461736b2d69642dULL};

constexpr bool is_hyphen_place(std::size_t i) noexcept { return i == 8 || i == 13 || i == 18 || i == 23; }

constexpr int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool parse_uuid(std::string_view text, TaskId& id) noexcept {
  if (text.size() != kUuidChars) return false;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < kUuidChars; ++i) {
    if (is_hyphen_place(i)) {
      if (text[i] != '-') return false;
      continue;
    }
    const int digit = digit_of(text[i]);
    if (digit < 0) return false;
    auto& byte = id.bytes[digits++ / 2];
    byte = static_cast<std::uint8_t>((byte << 4) | digit);
    id.text_travels |= text[i] >= 'A' && text[i] <= 'F';
  }
  return true;
}

}  // namespace

TaskId task_id_from(std::string_view text) noexcept {
  TaskId id;
  if (parse_uuid(text, id)) return id;
  const auto bytes = std::as_bytes(std::span(text));
  const std::array<std::uint64_t, 2> halves = {siphash24(kLowKey, bytes), siphash24(kHighKey, bytes)};
  return {std::bit_cast<wire::Id16>(halves), true};
}

std::string task_id_text(const wire::Id16& bytes, std::string_view travelled) {
  if (!travelled.empty()) return std::string(travelled);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(kUuidChars);
  for (const std::uint8_t byte : bytes) {
    if (is_hyphen_place(text.size())) text += '-';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

wire::Id16 random_uuid(Random& random) noexcept {
  const std::array<std::uint64_t, 2> words = {random.next(), random.next()};
  auto id = std::bit_cast<wire::Id16>(words);
  id[6] = static_cast<std::uint8_t>((id[6] & 0x0fU) | 0x40U);  // version 4
  id[8] = static_cast<std::uint8_t>((id[8] & 0x3fU) | 0x80U);  // variant 1
  return id;
}

}  // namespace mcplane::client
