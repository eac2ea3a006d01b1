// The JSON of a task, for both codecs that read it: ids in hexadecimal, the payload an object. Any thread.
#pragma once

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "task.h"

namespace mcplane::perf {

using Json = nlohmann::ordered_json;

template <std::size_t kBytes>
std::string to_hex(const std::array<std::uint8_t, kBytes>& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

template <std::size_t kBytes>
bool from_hex(std::string_view text, std::array<std::uint8_t, kBytes>& bytes) {
  if (text.size() != 2 * kBytes) return false;
  for (std::size_t i = 0; i < kBytes; ++i) {
    const char* const at = text.data() + 2 * i;
    if (std::from_chars(at, at + 2, bytes[i], 16).ptr != at + 2) return false;
  }
  return true;
}

Json to_json(const CodecTask& task);

}  // namespace mcplane::perf
