// Words are drawn once a run by splitmix64's finaliser, and folded into 0x20-0x5f as they are used; loops over them are
// plain enough for the compiler to take four at a time. See pattern.h.
#include "loadgen/pattern.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "wire/payload.h"
#include "wire/wide_sum.h"

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kWordBytes = 8;
constexpr std::size_t kNumberWords = kPromptBytesMin / kWordBytes;

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

// Where a text that lies in `bytes` starts.
std::size_t offset_in(const std::vector<std::byte>& bytes, std::optional<std::string_view> text) {
  CHECK(text.has_value());
  return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(text->data()) - bytes.data());
}

TextFrame empty_task() {
  std::vector<std::byte> bytes = wire::write_task_payload({});
  const auto text = wire::read_prompt(bytes);
  return {std::move(bytes), text};
}

TextFrame empty_answer() {
  std::vector<std::byte> bytes = wire::write_answer("");
  const auto text = wire::read_answer(bytes);
  return {std::move(bytes), text};
}

}  // namespace

PromptPattern::PromptPattern(std::uint64_t seed, std::size_t bytes_max, const PromptSizes& sizes)
    : run_(mix64(seed)), block_((bytes_max + kWordBytes - 1) / kWordBytes), bytes_max_(bytes_max), sizes_(sizes) {
  CHECK(bytes_max >= kPromptBytesMin);
  for (std::size_t i = 0; i < block_.size(); ++i) block_[i] = mix64(run_ + (i + 1) * 0x9e3779b97f4a7c15ULL);
}

std::uint64_t PromptPattern::key_of(std::uint64_t number) const noexcept { return mix64(run_ + number); }

std::size_t PromptPattern::bytes_of(std::uint64_t number) const noexcept {
  if (sizes_.form == PromptSizes::Form::kConstant) return bytes_max_;
  const std::uint64_t drawn = mix64(~key_of(number)) >> 32;
  if (sizes_.form == PromptSizes::Form::kUniform) {
    const std::size_t least = std::min(sizes_.bytes_min, bytes_max_);
    return least + static_cast<std::size_t>((drawn * (bytes_max_ - least + 1)) >> 32);
  }
  if (sizes_.form == PromptSizes::Form::kList)
    return std::min<std::size_t>((*sizes_.list)[(drawn * sizes_.list->size()) >> 32], bytes_max_);
  const double bytes = -std::log1p(-static_cast<double>(drawn) * 0x1.0p-32) * sizes_.mean;
  return static_cast<std::size_t>(
      std::clamp(bytes, static_cast<double>(kPromptBytesMin), static_cast<double>(bytes_max_)));
}

void PromptPattern::write(std::span<char> prompt, std::uint64_t number) const noexcept {
  DCHECK(prompt.size() <= bytes_max_);
  const std::uint64_t key = key_of(number);
  const std::uint64_t digits[kNumberWords] = {hex(static_cast<std::uint32_t>(number >> 32)),
                                              hex(static_cast<std::uint32_t>(number))};
  // The prompt lies apart from the block, which the compiler must be told.
  char* const __restrict at = prompt.data();
  const std::uint64_t* const __restrict block = block_.data();
  const std::size_t whole = prompt.size() / kWordBytes;
  // From the first word on, so that the compiler's steps of four come out even; the digits go over it.
  for (std::size_t i = 0; i < whole; ++i) {
    const std::uint64_t word = printable(block[i] ^ key);
    std::memcpy(at + i * kWordBytes, &word, kWordBytes);
  }
  if (const std::size_t rest = prompt.size() % kWordBytes; rest != 0) {
    const std::uint64_t word = printable(block_[whole] ^ key);
    std::memcpy(at + whole * kWordBytes, &word, rest);
  }
  std::memcpy(at, digits, sizeof digits);
}

bool PromptPattern::matches(std::string_view answer, std::uint64_t number) const noexcept {
  if (answer.size() != bytes_of(number)) return false;
  const std::uint64_t key = key_of(number);
  const char* const at = answer.data();
  const std::uint64_t* const block = block_.data();
  std::uint64_t differs = (wire::load_word<std::uint64_t>(at) ^ hex(static_cast<std::uint32_t>(number >> 32))) |
                          (wire::load_word<std::uint64_t>(at + kWordBytes) ^ hex(static_cast<std::uint32_t>(number)));
  const std::size_t whole = answer.size() / kWordBytes;
  for (std::size_t i = kNumberWords; i < whole; ++i)
    differs |= wire::load_word<std::uint64_t>(at + i * kWordBytes) ^ printable(block[i] ^ key);
  if (const std::size_t rest = answer.size() % kWordBytes; rest != 0) {
    const std::uint64_t word = printable(block_[whole] ^ key);
    differs |= static_cast<std::uint64_t>(std::memcmp(at + whole * kWordBytes, &word, rest) != 0);
  }
  return differs == 0;
}

bool PromptPattern::matches_at(std::string_view piece, std::uint64_t number, std::size_t at) const noexcept {
  if (at + piece.size() > bytes_of(number)) return false;
  const std::uint64_t key = key_of(number);
  while (!piece.empty()) {
    const std::size_t index = at / kWordBytes, within = at % kWordBytes;
    const std::uint64_t word = index >= kNumberWords
                                   ? printable(block_[index] ^ key)
                                   : hex(static_cast<std::uint32_t>(index == 0 ? number >> 32 : number));
    const std::size_t bytes = std::min(kWordBytes - within, piece.size());
    if (std::memcmp(piece.data(), reinterpret_cast<const char*>(&word) + within, bytes) != 0) return false;
    piece.remove_prefix(bytes);
    at += bytes;
  }
  return true;
}

wire::Id16 task_id_for(std::uint64_t seed, std::uint64_t number) noexcept {
  wire::Id16 id{};
  const std::uint64_t run = mix64(seed), big_endian = __builtin_bswap64(number);
  std::memcpy(id.data(), &run, sizeof run);
  std::memcpy(id.data() + sizeof run, &big_endian, sizeof big_endian);
  id[6] = static_cast<std::uint8_t>((id[6] & 0x0fU) | 0x80U);
  id[8] = static_cast<std::uint8_t>((id[8] & 0x3fU) | 0x80U);
  return id;
}

TextFrame::TextFrame(std::vector<std::byte> example, std::optional<std::string_view> text)
    : frame_(std::move(example)), text_offset_(offset_in(frame_, text)) {
  CHECK(text_offset_ >= sizeof(std::uint32_t) && bytes_around(text->size()) == frame_.size());
}

// A terminating zero, and what aligns the end.
std::size_t TextFrame::bytes_around(std::size_t text_bytes) const noexcept {
  return (text_offset_ + text_bytes + 1 + 3) & ~std::size_t{3};
}

TextFrame::Written TextFrame::around(std::size_t text_bytes, std::span<std::byte> place) {
  const std::size_t bytes = bytes_around(text_bytes);
  const auto length = static_cast<std::uint32_t>(text_bytes);
  const std::size_t before = text_offset_ - sizeof length;
  if (place.size() >= bytes) {
    std::memcpy(place.data(), frame_.data(), before);
  } else {
    if (bytes > frame_.size()) frame_.resize(bytes);
    place = frame_;
  }
  std::memcpy(place.data() + before, &length, sizeof length);
  const std::uint32_t end = 0;
  std::memcpy(place.data() + bytes - sizeof end, &end, sizeof end);
  return {place.first(bytes), {reinterpret_cast<char*>(place.data()) + text_offset_, text_bytes}};
}

std::optional<std::string_view> TextFrame::text_in(std::span<const std::byte> bytes) const noexcept {
  if (bytes.size() < text_offset_ + 1) return std::nullopt;
  std::uint32_t length;
  std::memcpy(&length, bytes.data() + text_offset_ - sizeof length, sizeof length);
  const bool same = length < bytes.size() && bytes_around(length) == bytes.size() &&
                    bytes[text_offset_ + length] == std::byte{0} &&
                    std::memcmp(bytes.data(), frame_.data(), text_offset_ - sizeof length) == 0;
  if (!same) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + text_offset_, length);
}

PayloadWriter::PayloadWriter(PromptPattern pattern) : pattern_(std::move(pattern)), frame_(empty_task()) {
  frame_.around(pattern_.bytes_max(), {});  // grows to its largest
}

std::span<const std::byte> PayloadWriter::write(std::uint64_t number, std::span<std::byte> place) noexcept {
  const TextFrame::Written written = frame_.around(pattern_.bytes_of(number), place);
  pattern_.write(written.text, number);
  return written.bytes;
}

PromptReader::PromptReader() : frame_(empty_task()) {}

std::optional<std::string_view> PromptReader::read(std::span<const std::byte> payload) const noexcept {
  const auto text = frame_.text_in(payload);
  return text ? text : wire::read_prompt(payload);
}

AnswerWriter::AnswerWriter() : frame_(empty_answer()) {}

std::span<const std::byte> AnswerWriter::write(std::string_view text, std::span<std::byte> place) {
  const TextFrame::Written written = frame_.around(text.size(), place);
  std::ranges::copy(text, written.text.begin());
  return written.bytes;
}

std::optional<std::string_view> AnswerWriter::read(std::span<const std::byte> answer) const noexcept {
  const auto text = frame_.text_in(answer);
  return text ? text : wire::read_answer(answer);
}

}  // namespace mcplane::loadgen
