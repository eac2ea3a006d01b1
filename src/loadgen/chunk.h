// What a streamed answer is made of: chunk k of task n is the nanosecond it was emitted in, in 16 hex digits, then the
// run's pattern of (n, k), which begins with both in 16 more. So who gets a chunk knows which one it is, that each of
// its bytes is right, and how long it took, and nothing is stored while it is away. Pure, but for the buffer that is
// written to; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "loadgen/pattern.h"

namespace mcplane::loadgen {

inline constexpr std::size_t kChunkStampBytes = 16;
inline constexpr std::size_t kChunkBytesMin = kChunkStampBytes + kPromptBytesMin;
inline constexpr std::uint32_t kChunksMax = 1'000'000;

// Of every answer of a run.
struct StreamShape {
  std::uint32_t chunks = 0;  // 0: answers are not streamed
  std::uint32_t chunk_bytes = 0;
  std::uint64_t interval_ns = 0;  // from one to the next; 0: as fast as the client takes them
};

struct Chunk {
  std::uint64_t task = 0;
  std::uint32_t number = 0;      // of the task's, from 0
  std::uint64_t emitted_ns = 0;  // by the clock of this process
};

class ChunkPattern {
 public:
  // chunk_bytes is at least kChunkBytesMin.
  ChunkPattern(std::uint64_t seed, std::size_t chunk_bytes);

  // Valid until the next call. The task is below 2^40, its number below kChunksMax.
  std::string_view write(const Chunk& chunk);
  // nullopt: no chunk of this run, whole and as it was written.
  std::optional<Chunk> read(std::string_view text) const noexcept;

 private:
  PromptPattern pattern_;
  std::string text_;
};

// A prompt's task; nullopt: not one of PromptPattern's.
std::optional<std::uint64_t> task_of_prompt(std::string_view prompt) noexcept;

}  // namespace mcplane::loadgen
