// Eight bytes a step from a counter-based generator (splitmix64's finaliser), folded into 0x20-0x5f.
// See pattern.h.
#include "loadgen/pattern.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "wire/payload.h"

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kWordBytes = 8;

constexpr std::uint64_t mix(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

// Word `index` of a prompt: words 0 and 1 are the number in hex, the rest is drawn.
class Words {
 public:
  Words(std::uint64_t seed, std::uint64_t number) noexcept : number_(number), state_(mix(mix(seed) + number)) {}

  std::uint64_t at(std::size_t index) const noexcept {
    if (index < 2) return hex(static_cast<std::uint32_t>(index == 0 ? number_ >> 32 : number_));
    const std::uint64_t drawn = mix(state_ + index * 0x9e3779b97f4a7c15ULL);
    return (drawn & 0x3f3f3f3f3f3f3f3fULL) + 0x2020202020202020ULL;
  }

 private:
  // Eight digits, the most significant in the lowest byte, which comes first in memory.
  static std::uint64_t hex(std::uint32_t value) noexcept {
    std::uint64_t word = 0;
    for (unsigned i = 0; i < kWordBytes; ++i)
      word |= std::uint64_t{static_cast<unsigned char>("0123456789abcdef"[(value >> (28 - 4 * i)) & 15])} << (8 * i);
    return word;
  }

  std::uint64_t number_;
  std::uint64_t state_;
};

}  // namespace

void write_prompt(std::span<char> prompt, std::uint64_t seed, std::uint64_t number) noexcept {
  const Words words(seed, number);
  for (std::size_t offset = 0; offset < prompt.size(); offset += kWordBytes) {
    const std::uint64_t word = words.at(offset / kWordBytes);
    std::memcpy(prompt.data() + offset, &word, std::min(kWordBytes, prompt.size() - offset));
  }
}

bool is_prompt(std::string_view answer, std::size_t prompt_bytes, std::uint64_t seed, std::uint64_t number) noexcept {
  if (answer.size() != prompt_bytes) return false;
  const Words words(seed, number);
  for (std::size_t offset = 0; offset < answer.size(); offset += kWordBytes) {
    const std::uint64_t word = words.at(offset / kWordBytes);
    if (std::memcmp(answer.data() + offset, &word, std::min(kWordBytes, answer.size() - offset)) != 0) return false;
  }
  return true;
}

wire::Id16 task_id_for(std::uint64_t seed, std::uint64_t number) noexcept {
  wire::Id16 id{};
  const std::uint64_t run = mix(seed);
  std::memcpy(id.data(), &run, sizeof run);
  for (std::size_t i = 0; i < sizeof number; ++i)
    id[8 + i] = static_cast<std::uint8_t>(number >> (8 * (sizeof number - 1 - i)));
  id[6] = static_cast<std::uint8_t>((id[6] & 0x0fU) | 0x80U);
  id[8] = static_cast<std::uint8_t>((id[8] & 0x3fU) | 0x80U);
  return id;
}

PayloadWriter::PayloadWriter(std::size_t prompt_bytes) : prompt_bytes_(prompt_bytes) {
  CHECK(prompt_bytes >= kPromptBytesMin);
  std::string prompt(prompt_bytes, '\0');
  write_prompt(prompt, 0, 0);
  payload_ = wire::write_task_payload({.prompt = prompt, .history = {}, .parameters = {}});
  const auto* text = reinterpret_cast<const char*>(payload_.data());
  prompt_offset_ = std::string_view(text, payload_.size()).find(prompt);
  CHECK(prompt_offset_ != std::string_view::npos);
}

std::span<const std::byte> PayloadWriter::write(std::uint64_t seed, std::uint64_t number) noexcept {
  write_prompt({reinterpret_cast<char*>(payload_.data()) + prompt_offset_, prompt_bytes_}, seed, number);
  return payload_;
}

}  // namespace mcplane::loadgen
