// Acknowledgements that wait for a frame to take them along, or for others to share one. Owner: the shard's core.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/large_array.h"
#include "base/prefetch.h"
#include "base/types.h"
#include "wire/ack.h"

namespace mcplane::dataplane {

class Shard;

// RESULTs that are done with, by worker: each ROUTE takes the oldest one along; what has waited for the ack delay goes
// in an ACK.
class OwedAcks {
 public:
  explicit OwedAcks(std::uint32_t workers);

  // False when the worker's line is full, or the number is none: it is to be told otherwise.
  bool add(WorkerId worker, SessionId session, std::uint32_t result_number, std::uint32_t now_ms) noexcept;
  // The oldest, 0 when nothing is owed to that session.
  std::uint32_t take(WorkerId worker, SessionId session) noexcept;

  // A worker whose oldest was added at `latest_ms` or before, kNoWorker when there is none.
  WorkerId take_due(std::uint32_t latest_ms) noexcept;
  // Those that are looked at next.
  void prefetch_due(std::uint32_t count) const noexcept;
  bool empty() const noexcept { return due_count_ == 0; }
  SessionId session_of(WorkerId worker) const noexcept { return {lines_[raw(worker)].session}; }
  void prefetch(WorkerId worker) const noexcept { prefetch_to_write(&lines_[raw(worker)]); }

 private:
  static constexpr std::uint32_t kPerWorker = 14;

  struct Entry {
    std::uint32_t number;
    std::uint32_t added_ms;
  };
  struct alignas(kCacheLineBytes) Line {
    std::uint32_t session = 0;
    std::uint16_t first = 0, count = 0;
    bool listed = false;
    std::array<Entry, kPerWorker> entries;  // a ring
  };
  static_assert(sizeof(Line) == 2 * kCacheLineBytes);

 public:
  static constexpr std::size_t kBytesPerWorker = sizeof(Line) + sizeof(WorkerId);

 private:
  void list(WorkerId worker, Line& line) noexcept;

  LargeArray<Line> lines_;
  // Workers with something owed, each once, in the order they are to be looked at.
  LargeArray<WorkerId> due_;
  std::uint32_t capacity_, due_first_ = 0, due_count_ = 0;
};

// Acknowledgements to be sent by the end of this loop, those to one session in one frame.
class AckBatch {
 public:
  static constexpr std::size_t kFrames = 32, kEntries = 32;

  struct Entry {
    std::uint32_t name, number;
  };
  struct Frame {
    SessionId to;
    wire::FrameType answers{};
    std::uint32_t count = 0;
    std::array<Entry, kEntries> entries;
  };

  void add(SessionId to, wire::FrameType answers, std::uint32_t name, std::uint32_t number) noexcept;
  std::span<const Frame> frames() const noexcept { return {frames_.data(), count_}; }
  void clear() noexcept { count_ = 0; }

 private:
  std::array<Frame, kFrames> frames_;
  std::size_t count_ = 0;
};

// Puts the batch, and what has been owed for long enough, on its way.
void send_acks(Shard& shard) noexcept;

}  // namespace mcplane::dataplane
