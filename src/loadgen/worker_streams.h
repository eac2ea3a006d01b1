// What the workers of a fleet still have to say: streams whose next chunk is due at a time, and those whose client has
// to take others first. All streams have one interval, and each chunk is due that long behind the one before: who is
// put at the end of the line is due last, or was held up, so the line needs no order but its own. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/types.h"
#include "loadgen/chunk.h"

namespace mcplane::loadgen {

struct WorkerStreams {
  struct Stream {
    std::size_t worker = 0;
    TaskToken token;
    std::uint8_t attempt = 0;
    std::uint32_t sessions = 0;  // the engine's when its task came
    std::uint64_t task = 0;
    std::uint32_t next = 0;    // chunk
    std::uint64_t due_ns = 0;  // of that one, by the pace
    bool held_up = false;      // it waited for room, and is behind its pace since
  };

  WorkerStreams(std::uint64_t seed, const StreamShape& stream_shape, std::size_t workers)
      : shape(stream_shape), pattern(seed, stream_shape.chunk_bytes), waiting(workers) {}

  const StreamShape shape;
  ChunkPattern pattern;
  std::deque<Stream> line;                   // the first due in front
  std::vector<std::vector<Stream>> waiting;  // by worker: due, and without room
  std::vector<Stream> resumed;               // scratch
};

}  // namespace mcplane::loadgen
