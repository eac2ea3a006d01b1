// See chunk.h.
#include "loadgen/chunk.h"

#include <fmt/format.h>

#include <charconv>

namespace mcplane::loadgen {
namespace {

constexpr unsigned kChunkNumberBits = 24;
static_assert(kChunksMax <= 1U << kChunkNumberBits);

// Sixteen hex digits, whatever stands behind them.
std::optional<std::uint64_t> read_digits(std::string_view text) noexcept {
  if (text.size() < kChunkStampBytes) return std::nullopt;
  const char* const end = text.data() + kChunkStampBytes;
  std::uint64_t value = 0;
  const auto [at, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc{} || at != end) return std::nullopt;
  return value;
}

}  // namespace

ChunkPattern::ChunkPattern(std::uint64_t seed, std::size_t chunk_bytes)
    : pattern_(seed, chunk_bytes - kChunkStampBytes), text_(chunk_bytes, ' ') {}

std::string_view ChunkPattern::write(const Chunk& chunk) {
  fmt::format_to_n(text_.data(), kChunkStampBytes, "{:016x}", chunk.emitted_ns);
  pattern_.write(std::span(text_).subspan(kChunkStampBytes), chunk.task << kChunkNumberBits | chunk.number);
  return text_;
}

std::optional<Chunk> ChunkPattern::read(std::string_view text) const noexcept {
  const auto emitted_ns = read_digits(text);
  if (!emitted_ns) return std::nullopt;
  text.remove_prefix(kChunkStampBytes);
  const auto number = read_digits(text);
  if (!number || !pattern_.matches(text, *number)) return std::nullopt;
  return Chunk{.task = *number >> kChunkNumberBits,
               .number = static_cast<std::uint32_t>(*number & ((1U << kChunkNumberBits) - 1)),
               .emitted_ns = *emitted_ns};
}

std::optional<std::uint64_t> task_of_prompt(std::string_view prompt) noexcept { return read_digits(prompt); }

}  // namespace mcplane::loadgen
