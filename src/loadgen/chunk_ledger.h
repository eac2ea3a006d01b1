// What became of each chunk of a run's streamed answers: whether it came, once, in its order and as it was written, and
// how long it took. A chunk that comes behind a later one is out of order; what an answer that ended well has not
// brought by then is lost. Answers that did not end well say so themselves: none of their chunks is missed. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "loadgen/chunk.h"
#include "loadgen/histogram.h"

namespace mcplane::loadgen {

// Counters cover the whole run; histograms (ns) and `measured` what was emitted, or of tasks that were due, in the
// measured part.
struct ChunkTally {
  std::uint64_t received = 0;  // each once
  std::uint64_t lost = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t measured = 0;
  std::uint64_t first_ns = 0, last_ns = 0;  // when the measured ones came
  Histogram first_chunk;                    // from when its task was due
  Histogram chunk;                          // from when its worker emitted it

  double measured_rate() const noexcept;
  bool sound() const noexcept { return lost + duplicates + out_of_order == 0; }
  // As Tally::add_counts().
  void add_counts(const ChunkTally& other) noexcept;
};

class ChunkLedger {
 public:
  // Streams are known by an index below `streams`.
  ChunkLedger(std::uint64_t seed, const StreamShape& shape, std::size_t streams);

  // Counts from 0.
  void start(std::uint64_t measure_from_ns);
  // Task `number` was sent.
  void begin(std::size_t stream, std::uint64_t number, std::uint64_t due_ns) noexcept;
  // A piece of its answer.
  void take(std::size_t stream, std::string_view text, std::uint64_t now_ns);
  // Its answer ended well, with what was taken; false: that was not each of its chunks, once and in order.
  bool end(std::size_t stream) noexcept;
  const ChunkTally& tally() const noexcept { return tally_; }
  // Counts from 0 again.
  ChunkTally take_tally() { return std::exchange(tally_, {}); }

 private:
  struct Stream {
    std::uint64_t number = 0, due_ns = 0;
    std::uint32_t next = 0;              // behind the last chunk that has come
    bool broken = false;                 // something came that it did not write, or not then
    std::vector<std::uint32_t> missing;  // before next
  };

  void take_new(Stream& stream, std::uint32_t number);
  void take_behind(Stream& stream, std::uint32_t number);
  void measure(const Stream& stream, const Chunk& chunk, std::uint64_t now_ns);

  const std::uint32_t chunks_;
  const ChunkPattern pattern_;
  std::vector<Stream> streams_;
  std::uint64_t measure_from_ns_ = 0;
  ChunkTally tally_;
};

}  // namespace mcplane::loadgen
