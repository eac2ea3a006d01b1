// See chunk_ledger.h.
#include "loadgen/chunk_ledger.h"

#include <algorithm>

#include "base/types.h"

namespace mcplane::loadgen {

double ChunkTally::measured_rate() const noexcept {
  if (last_ns <= first_ns) return 0;
  return static_cast<double>(measured) * static_cast<double>(kNsPerSecond) / static_cast<double>(last_ns - first_ns);
}

void ChunkTally::add_counts(const ChunkTally& other) noexcept {
  received += other.received;
  lost += other.lost;
  duplicates += other.duplicates;
  out_of_order += other.out_of_order;
}

ChunkLedger::ChunkLedger(std::uint64_t seed, const StreamShape& shape, std::size_t streams)
    : chunks_(shape.chunks), pattern_(seed, shape.chunk_bytes), streams_(streams) {}

void ChunkLedger::start(std::uint64_t measure_from_ns) {
  tally_ = {};
  measure_from_ns_ = measure_from_ns;
}

void ChunkLedger::begin(std::size_t stream, std::uint64_t number, std::uint64_t due_ns) noexcept {
  Stream& begun = streams_[stream];
  begun.number = number;
  begun.due_ns = due_ns;
  begun.next = 0;
  begun.broken = false;
  begun.missing.clear();
}

void ChunkLedger::take(std::size_t stream, std::string_view text, std::uint64_t now_ns) {
  Stream& of = streams_[stream];
  const auto chunk = pattern_.read(text);
  if (!chunk || chunk->task != of.number || chunk->number >= chunks_) {
    of.broken = true;
    return;
  }
  measure(of, *chunk, now_ns);
  chunk->number >= of.next ? take_new(of, chunk->number) : take_behind(of, chunk->number);
}

void ChunkLedger::take_new(Stream& stream, std::uint32_t number) {
  ++tally_.received;
  for (; stream.next < number; ++stream.next) stream.missing.push_back(stream.next);
  ++stream.next;
}

void ChunkLedger::take_behind(Stream& stream, std::uint32_t number) {
  stream.broken = true;
  const auto found = std::ranges::find(stream.missing, number);
  if (found == stream.missing.end()) {
    ++tally_.duplicates;
    return;
  }
  ++tally_.received;
  ++tally_.out_of_order;
  stream.missing.erase(found);
}

void ChunkLedger::measure(const Stream& stream, const Chunk& chunk, std::uint64_t now_ns) {
  if (stream.next == 0 && stream.due_ns >= measure_from_ns_)
    tally_.first_chunk.record(now_ns - std::min(stream.due_ns, now_ns));
  if (chunk.emitted_ns < measure_from_ns_) return;
  // The time of a burst is taken before it is read: what comes meanwhile is from behind it.
  tally_.chunk.record(now_ns - std::min(chunk.emitted_ns, now_ns));
  if (tally_.measured++ == 0) tally_.first_ns = now_ns;
  tally_.last_ns = now_ns;
}

bool ChunkLedger::end(std::size_t stream) noexcept {
  const Stream& ended = streams_[stream];
  const std::uint64_t lost = ended.missing.size() + (chunks_ - ended.next);
  tally_.lost += lost;
  return lost == 0 && !ended.broken;
}

}  // namespace mcplane::loadgen
