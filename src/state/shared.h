// Everything the cores and the control thread share, made before any thread starts and gone after all have ended.
// `app` makes it; dataplane and control meet only here.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "state/capture.h"
#include "state/counters.h"
#include "state/inspection.h"
#include "state/messages.h"
#include "state/neighbour_table.h"
#include "state/outcomes.h"
#include "state/perf_counters.h"
#include "state/rcu.h"
#include "state/route_snapshot.h"
#include "state/skill_board.h"
#include "state/span_record.h"
#include "state/task_limits.h"
#include "state/task_timings.h"
#include "state/topic_tree.h"
#include "state/waiting_board.h"
#include "state/worker_table.h"

namespace mcplane::state {

// When a session was last heard from on one shard, in ms of the shard's clock. 0: never.
// Relaxed: control judges a lease by it, nothing is published through it.
using LastSeen = std::atomic<std::uint32_t>;  // Written by: the shard's core; reset by control before a session starts.

struct SharedOptions {
  std::uint32_t shards = 1;
  std::uint32_t sessions = 4096;
  std::uint32_t workers = 1024;
  std::uint32_t routes = 1024;  // selectors of each shard, a power of two
  std::uint32_t boot_id = 1;    // never 0
  SipKey cookie_key{};
  bool traces = false;  // cores tell control of tasks that are traced
};

struct ShardShared {
  explicit ShardShared(const SharedOptions& given)
      : last_seen(new LastSeen[given.sessions]()),
        events(new EventCounts[given.sessions]()),
        outcomes(given.workers),
        waiting(given.routes),
        spans(given.traces ? std::make_unique<SpanMailbox>() : nullptr) {}

  ShardCounters counters;
  TaskTimings timings;
  PerfCounters perf;
  Mailbox mailbox;
  Inspection inspection;
  std::unique_ptr<LastSeen[]> last_seen;  // by session index
  std::unique_ptr<EventCounts[]> events;  // by session index
  Outcomes outcomes;                      // of this shard's tasks, by worker
  WaitingBoard waiting;                   // of this shard's tasks, by selector
  std::unique_ptr<SpanMailbox> spans;     // null: no task is traced
  // The shard's clock at its last loop, ns. Relaxed: a lease runs only while this moves.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> loop_ns{0};  // Written by: the shard's core.
};

struct Shared {
  static constexpr std::uint32_t kNeverSlowUs = 0xffffffffU;

  explicit Shared(const SharedOptions& given)
      : options(given),
        workers(given.workers, given.shards),
        neighbours(given.sessions + kGatewaysMax),
        routes(given.shards, std::make_unique<const RouteSnapshot>()) {
    for (std::uint32_t i = 0; i < given.shards; ++i) shards.push_back(std::make_unique<ShardShared>(given));
  }

  // Control. The cores match what is published from now on by `next`; null: nobody subscribes.
  void publish_topics(std::unique_ptr<const TopicTree> next) {
    // Pairs with the acquire load by which a core reads it: the tree's contents are visible.
    topics.store(next.get(), std::memory_order_release);
    if (auto old = std::exchange(topics_owner, std::move(next))) routes.retire(std::move(old));
  }

  // Control. Cores copy frames for `next` from now on; null: for nobody.
  void set_capture(std::shared_ptr<Capture> next) {
    capture.store(next.get(), std::memory_order_release);
    if (auto old = std::exchange(capture_owner, std::move(next))) routes.retire(std::move(old));
  }

  const SharedOptions options;
  WorkerTable workers;
  NeighbourTable neighbours;
  Rcu<RouteSnapshot> routes;
  std::array<SharedLimit, kSharedLimits> limits;  // by RouteRule::shared_limit
  std::unique_ptr<const TopicTree> topics_owner;  // control's
  std::shared_ptr<Capture> capture_owner;         // control's
  // Good until the core's next quiescent point of `routes`. Written by: control.
  std::atomic<const TopicTree*> topics{nullptr};
  // 0: cores measure nothing; else the number of the run of measurements that they take part in. Relaxed: a core that
  // sees it a loop later begins a loop later. Written by: control.
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> perf_run{0};
  // Null: cores copy no frames. Good until the core's next quiescent point of `routes`. Control's release store pairs
  // with a core's acquire load: its rings are visible. Written by: control.
  std::atomic<Capture*> capture{nullptr};
  // What a PONG tells a worker (and who is both) or a client: how long it may be silent. 0: as HELLO's ACK said.
  // Relaxed: control judges leases by the longest it has lately stored. Written by: control.
  std::atomic<std::uint32_t> worker_heartbeat_ms{0}, client_heartbeat_ms{0};
  // How long acknowledgements may wait for a frame that takes them along: what a PONG tells, and what shards keep to.
  // Relaxed: control tells a longer one some time before it is kept. Written by: control.
  std::atomic<std::uint32_t> ack_delay_us{1'000}, ack_wait_ms{2};
  // Time in a worker from which an answer counts as slow, us; the greatest number: none does. Relaxed: a bound for
  // answers to come. Written by: control.
  std::atomic<std::uint32_t> slow_us{kNeverSlowUs};
  TraceBounds trace;
  std::vector<std::unique_ptr<ShardShared>> shards;
};

}  // namespace mcplane::state
