// Where tasks that are traced go: control hears of them from the cores and hands them on, with names for what a record
// has numbers of. What becomes of them is app's to know.
#pragma once

#include <cstdint>
#include <string>

#include "state/span_record.h"

namespace mcplane::control {

struct TracedTask {
  state::SpanRecord record;
  ShardId shard{};
  std::string client, worker;  // their names, for people; "" when the session is gone
};

// For reports, since the start.
struct SpanCounts {
  std::uint64_t exported = 0;  // spans
  // Dropped: for want of room in the queue, refused by who takes them, and when nobody could be reached for too long.
  std::uint64_t dropped_full = 0, dropped_refused = 0, dropped_unreachable = 0;
};

class SpanSink {
 public:
  virtual ~SpanSink() = default;
  // The control thread; never blocks.
  virtual void take(TracedTask task) = 0;
  virtual SpanCounts counts() const = 0;
};

}  // namespace mcplane::control
