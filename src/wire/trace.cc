// See trace.h.
#include "wire/trace.h"

#include <algorithm>

namespace mcplane::wire {
namespace {

constexpr std::size_t kVersionAt = 0, kTraceAt = 3, kSpanAt = 36, kFlagsAt = 53, kLength = 55;
constexpr std::uint8_t kSampledBit = 1, kRandomBit = 2;

// Upper case is invalid.
constexpr int digit_of(char letter) noexcept {
  if (letter >= '0' && letter <= '9') return letter - '0';
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// As many digits as fill `bytes`.
bool read_hex(std::string_view text, std::span<std::uint8_t> bytes) noexcept {
  if (text.size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

bool is_zero(std::span<const std::uint8_t> bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) noexcept {
  if (text.size() < kLength || text[kTraceAt - 1] != '-' || text[kSpanAt - 1] != '-' || text[kFlagsAt - 1] != '-')
    return std::nullopt;
  std::array<std::uint8_t, 1> version{}, flags{};
  TraceParent parent;
  const bool sound = read_hex(text.substr(kVersionAt, 2), version) &&
                     read_hex(text.substr(kTraceAt, 2 * parent.trace_id.size()), parent.trace_id) &&
                     read_hex(text.substr(kSpanAt, 2 * parent.span.size()), parent.span) &&
                     read_hex(text.substr(kFlagsAt, 2), flags);
  if (!sound || version[0] == 0xff || is_zero(parent.trace_id) || is_zero(parent.span)) return std::nullopt;
  if (text.size() > kLength && (version[0] == 0 || text[kLength] != '-')) return std::nullopt;
  if ((flags[0] & kSampledBit) != 0) parent.flags |= raw(Flag::Sampled);
  if ((flags[0] & kRandomBit) != 0) parent.flags |= raw(Flag::RandomTrace);
  return parent;
}

std::string to_string(const TraceParent& parent) {
  const std::uint8_t flags[] = {static_cast<std::uint8_t>((parent.sampled() ? kSampledBit : 0) |
                                                          (has(parent.flags, Flag::RandomTrace) ? kRandomBit : 0))};
  return "00-" + hex(parent.trace_id) + "-" + hex(parent.span) + "-" + hex(flags);
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

std::optional<Id16> parse_trace_id(std::string_view text) noexcept {
  Id16 id;
  if (!read_hex(text, id) || is_zero(id)) return std::nullopt;
  return id;
}

}  // namespace mcplane::wire
