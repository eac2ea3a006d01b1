// Acknowledgements that wait for a frame to take them along, or for others to share one. Owner: the shard's core.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/large_array.h"
#include "base/types.h"
#include "dataplane/session_table.h"
#include "wire/ack.h"

namespace mcplane::dataplane {

class Shard;

// RESULTs that are done with, by worker: each ROUTE takes the oldest one along; what has waited for the ack delay goes
// in an ACK.
class OwedAcks {
 public:
  explicit OwedAcks(std::uint32_t workers) : rings_(workers), due_(workers), capacity_(workers) {}

  // False when there is no room, or the number is none: it is to be told otherwise.
  bool add(Session& worker, std::uint32_t result_number, std::uint32_t now_ms) noexcept {
    // Workers count from 1: take() says 0 for nothing.
    if (result_number == 0) return false;
    if (worker.owed.oldest.number != 0) return add_behind(worker, {result_number, now_ms});
    if (!worker.owed.listed && !list(worker)) return false;
    worker.owed.oldest = {result_number, now_ms};
    return true;
  }
  // The oldest, 0 when nothing is owed.
  std::uint32_t take(Session& worker) noexcept {
    const std::uint32_t number = worker.owed.oldest.number;
    worker.owed.oldest.number = 0;
    if (worker.owed.more > 0) draw_up(worker);
    return number;
  }

  // A worker whose oldest was added at `latest_ms` or before, null when there is none.
  Session* take_due(SessionTable& sessions, std::uint32_t latest_ms) noexcept;
  // Those that are looked at next.
  void prefetch_due(const SessionTable& sessions, std::uint32_t count) const noexcept;
  bool empty() const noexcept { return due_count_ == 0; }

 private:
  static constexpr std::uint32_t kPerRing = 16;
  static_assert(0x100 % kPerRing == 0, "Owed::first counts on, modulo 256");
  using Ring = std::array<OwedAck, kPerRing>;

 public:
  static constexpr std::size_t kBytesPerWorker = sizeof(Ring) + sizeof(SessionId);

 private:
  OwedAck& ring_at(const Session& worker, std::uint32_t index) noexcept {
    return rings_[raw(worker.record.worker)][index % kPerRing];
  }
  bool add_behind(Session& worker, OwedAck ack) noexcept {
    Owed& owed = worker.owed;
    if (owed.more == kPerRing) return false;
    ring_at(worker, owed.first + owed.more++) = ack;
    return true;
  }
  void draw_up(Session& worker) noexcept {
    Owed& owed = worker.owed;
    owed.oldest = ring_at(worker, owed.first++);
    --owed.more;
  }
  // False when more sessions than there may be workers have come and gone within an ack delay.
  bool list(Session& worker) noexcept;

  LargeArray<Ring> rings_;  // by worker
  // Workers with something owed, each once, in the order they are to be looked at; some have left meanwhile.
  LargeArray<SessionId> due_;
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
