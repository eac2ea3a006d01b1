// Words are drawn once a run by splitmix64's finaliser, and folded into 0x20-0x5f as they are used; loops over them are
// plain enough for the compiler to take four at a time. See pattern.h.
#include "loadgen/pattern.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "wire/payload.h"

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kWordBytes = 8;
constexpr std::size_t kNumberWords = kPromptBytesMin / kWordBytes;

constexpr std::uint64_t mix(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

constexpr std::uint64_t printable(std::uint64_t drawn) noexcept {
  return (drawn & 0x3f3f3f3f3f3f3f3fULL) + 0x2020202020202020ULL;
}

// Eight digits, the most significant in the lowest byte, which comes first in memory.
constexpr std::uint64_t hex(std::uint32_t value) noexcept {
  std::uint64_t digits = value;  // a nibble a byte
  digits = (digits | (digits << 16)) & 0x0000ffff0000ffffULL;
  digits = (digits | (digits << 8)) & 0x00ff00ff00ff00ffULL;
  digits = (digits | (digits << 4)) & 0x0f0f0f0f0f0f0f0fULL;
  const std::uint64_t letters = ((digits + 0x0606060606060606ULL) >> 4) & 0x0101010101010101ULL;
  return __builtin_bswap64(digits + 0x3030303030303030ULL + letters * ('a' - '0' - 10));
}
static_assert(hex(0x01239abf) == 0x6662613933323130ULL);

std::uint64_t load(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Where a text that lies in `bytes` starts.
std::size_t offset_in(const std::vector<std::byte>& bytes, std::optional<std::string_view> text) {
  CHECK(text.has_value());
  return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(text->data()) - bytes.data());
}

}  // namespace

PromptPattern::PromptPattern(std::uint64_t seed, std::size_t prompt_bytes)
    : run_(mix(seed)), block_((prompt_bytes + kWordBytes - 1) / kWordBytes), prompt_bytes_(prompt_bytes) {
  CHECK(prompt_bytes >= kPromptBytesMin);
  for (std::size_t i = 0; i < block_.size(); ++i) block_[i] = mix(run_ + (i + 1) * 0x9e3779b97f4a7c15ULL);
}

std::uint64_t PromptPattern::key_of(std::uint64_t number) const noexcept { return mix(run_ + number); }

void PromptPattern::write(std::span<char> prompt, std::uint64_t number) const noexcept {
  DCHECK(prompt.size() == prompt_bytes_);
  const std::uint64_t key = key_of(number);
  const std::uint64_t digits[kNumberWords] = {hex(static_cast<std::uint32_t>(number >> 32)),
                                              hex(static_cast<std::uint32_t>(number))};
  // The prompt lies apart from the block, which the compiler must be told.
  char* const __restrict at = prompt.data();
  const std::uint64_t* const __restrict block = block_.data();
  std::memcpy(at, digits, sizeof digits);
  const std::size_t whole = prompt_bytes_ / kWordBytes;
  for (std::size_t i = kNumberWords; i < whole; ++i) {
    const std::uint64_t word = printable(block[i] ^ key);
    std::memcpy(at + i * kWordBytes, &word, kWordBytes);
  }
  if (const std::size_t rest = prompt_bytes_ % kWordBytes; rest != 0) {
    const std::uint64_t word = printable(block_[whole] ^ key);
    std::memcpy(at + whole * kWordBytes, &word, rest);
  }
}

bool PromptPattern::matches(std::string_view answer, std::uint64_t number) const noexcept {
  if (answer.size() != prompt_bytes_) return false;
  const std::uint64_t key = key_of(number);
  const char* const at = answer.data();
  const std::uint64_t* const block = block_.data();
  std::uint64_t differs = (load(at) ^ hex(static_cast<std::uint32_t>(number >> 32))) |
                          (load(at + kWordBytes) ^ hex(static_cast<std::uint32_t>(number)));
  const std::size_t whole = prompt_bytes_ / kWordBytes;
  for (std::size_t i = kNumberWords; i < whole; ++i) differs |= load(at + i * kWordBytes) ^ printable(block[i] ^ key);
  if (const std::size_t rest = prompt_bytes_ % kWordBytes; rest != 0) {
    const std::uint64_t word = printable(block_[whole] ^ key);
    differs |= static_cast<std::uint64_t>(std::memcmp(at + whole * kWordBytes, &word, rest) != 0);
  }
  return differs == 0;
}

wire::Id16 task_id_for(std::uint64_t seed, std::uint64_t number) noexcept {
  wire::Id16 id{};
  const std::uint64_t run = mix(seed), big_endian = __builtin_bswap64(number);
  std::memcpy(id.data(), &run, sizeof run);
  std::memcpy(id.data() + sizeof run, &big_endian, sizeof big_endian);
  id[6] = static_cast<std::uint8_t>((id[6] & 0x0fU) | 0x80U);
  id[8] = static_cast<std::uint8_t>((id[8] & 0x3fU) | 0x80U);
  return id;
}

PayloadWriter::PayloadWriter(PromptPattern pattern) : pattern_(std::move(pattern)) {
  const std::string prompt(pattern_.prompt_bytes(), '\0');
  payload_ = wire::write_task_payload({.prompt = prompt, .history = {}, .parameters = {}});
  prompt_offset_ = offset_in(payload_, wire::read_prompt(payload_));
}

std::span<const std::byte> PayloadWriter::write(std::uint64_t number) noexcept {
  pattern_.write({reinterpret_cast<char*>(payload_.data()) + prompt_offset_, pattern_.prompt_bytes()}, number);
  return payload_;
}

std::span<const std::byte> AnswerWriter::write(std::string_view text) {
  if (text.size() != text_bytes_ || answer_.empty()) {
    answer_ = wire::write_answer(text);
    text_offset_ = offset_in(answer_, wire::read_answer(answer_));
    text_bytes_ = text.size();
  } else {
    std::ranges::copy(std::as_bytes(std::span(text)), answer_.data() + text_offset_);
  }
  return answer_;
}

}  // namespace mcplane::loadgen
