// Traces of tasks, as far as a core has to do with them: what a trace needs until its task's end, beside the task
// table, and a record for control of each task that is sampled, fails or is slow. Made only if somebody wants traces:
// without, each place costs a branch that is always taken alike. Owner: the shard's core.
//
// A ROUTE of a sampled task names as its parent the span of its attempt, so the worker's span stands below that.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/large_array.h"
#include "base/observed.h"
#include "base/types.h"
#include "dataplane/route_cache.h"
#include "dataplane/task_table.h"
#include "state/shared.h"
#include "wire/trace.h"

namespace mcplane::dataplane {

class Shard;
struct Frame;

class Spans {
 public:
  // Records of one loop; more are dropped, and counted.
  static constexpr std::size_t kPerLoop = 64;
  static constexpr std::size_t kBytesPerTask = kCacheLineBytes;

  Spans(const state::Shared& shared, state::SpanMailbox* mailbox, std::uint32_t max_tasks)
      : bounds_(shared.trace), mailbox_(mailbox), kept_(mailbox != nullptr ? max_tasks : 0) {}

  bool on() const noexcept { return observed() && mailbox_ != nullptr; }
  // What holds for this loop.
  void begin_loop() noexcept {
    sample_from_ = bounds_.sample_from.load(std::memory_order_relaxed);
    slow_ns_ = bounds_.slow_ns.load(std::memory_order_relaxed);
  }
  bool is_slow(std::uint64_t taken_ns) const noexcept { return taken_ns >= slow_ns_; }
  // The flags that the task goes on with: who sent it samples it, or its trace is taken here.
  std::uint16_t flags_of(const wire::Header& send) const noexcept {
    const std::uint16_t flags = send.flags();
    if (!wire::is_taken(send.trace_id()->Data(), sample_from_)) [[likely]]
      return flags;
    return static_cast<std::uint16_t>(flags | raw(wire::Flag::Sampled));
  }
  // The SEND made the task with that index. Cost: a cache line written.
  void keep(std::uint32_t index, const wire::Header& send, const RouteEntry& entry) noexcept {
    Kept& kept = kept_[index];
    kept.asked = entry.name;
    std::memcpy(&kept.trace, send.task_id()->Data(), sizeof kept.trace);
  }
  // Of a task that is sampled, its ROUTE.
  void mark(const Task& task, std::uint32_t index, wire::Header& route) const noexcept;

  // Its trace and action are added; when it had left, flush() adds.
  void add(std::uint32_t index, state::SpanRecord& record, const RouteCache& routes) noexcept;
  void add(const state::SpanRecord& record) noexcept;
  bool pending() const noexcept { return count_ > 0; }
  void flush(std::uint64_t stamp_ns) noexcept;

 private:
  struct alignas(kCacheLineBytes) Kept {
    wire::TaskTrace trace;
    RouteName asked;
  };

  static_assert(sizeof(Kept) == kBytesPerTask);

  const state::TraceBounds& bounds_;
  std::uint64_t sample_from_ = wire::kSampleNone, slow_ns_ = ~std::uint64_t{0};
  state::SpanMailbox* const mailbox_;
  LargeArray<Kept> kept_;
  std::array<state::SpanRecord, kPerLoop> records_;
  std::size_t count_ = 0;
};

// A record of the task whose first RESULT came; of one that ended without, if that is worth one. A copy of a task is in
// nobody's trace.
void trace_result(Shard& shard, const Task& task, const wire::Header& result) noexcept;
void trace_end(Shard& shard, const Task& task, wire::Reason reason,
               wire::Substitute substitute = wire::Substitute::None) noexcept;
// Its worker is gone, or will not run it, and another may: from then on it is sampled.
void trace_attempt(Shard& shard, Task& task, wire::Reason reason) noexcept;
// No task came of the SEND.
void trace_send(Shard& shard, const net::Packet& packet, const Frame& frame, wire::Reason reason,
                wire::Substitute substitute = wire::Substitute::None) noexcept;

}  // namespace mcplane::dataplane
