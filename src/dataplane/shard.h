// A shard: one dataplane core's sessions, tasks, waiting lines, timers and counters. Stations are free functions over
// it; nobody else writes it. Everything is allocated here, at start; after that nothing is.
//
// now_ns and stamp_ns are the loop's two clock readings, given by core_loop; no station fetches time.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/large_array.h"
#include "base/observed.h"
#include "base/random.h"
#include "dataplane/acks.h"
#include "dataplane/answer_cache.h"
#include "dataplane/event_line.h"
#include "dataplane/handoff.h"
#include "dataplane/held_frames.h"
#include "dataplane/route_cache.h"
#include "dataplane/session_table.h"
#include "dataplane/spans.h"
#include "dataplane/task_table.h"
#include "dataplane/timing_wheel.h"
#include "dataplane/verdict.h"
#include "net/nic.h"
#include "net/upcoming.h"
#include "state/shared.h"
#include "wire/datagram.h"
#include "wire/header.h"

namespace mcplane::dataplane {

struct ShardOptions {
  ShardId id{};
  std::uint16_t base_port = 4800;  // UDP port of shard 0
  std::uint32_t max_tasks = 65'536;
  std::uint32_t max_queued = 8'192;
  std::uint32_t max_routes = 1'024;
  std::uint32_t client_slots = 1'048'576;  // over all clients of the shard
  std::size_t cache_bytes = 0;             // of answers that may stand in (answer_cache.h)
  std::uint32_t retry_after_ms = 50;
  // Longest MCP datagram that fits a frame towards any peer, of either family.
  std::uint16_t datagram_bytes_max = 1'500 - wire::kIpv6Bytes - wire::kUdpBytes;
  std::uint64_t start_ns = 0;               // the loop's clock at construction
  std::vector<wire::LocalAddresses> ports;  // by PortId
  std::bitset<256> without_tails{};         // by PortId: no frame in two buffers leaves there
};

// Per-burst notes about a received frame, beside its Packet.
struct Frame {
  wire::Datagram ip;
  wire::Header* header = nullptr;  // in the packet; set once ip is a sound MCP datagram
  Session* session = nullptr;      // whose frame it is, where ingress saw that; then ip has no addresses
  // Ingress's own, to fetch what lies behind: who the header says it is from; of a SEND the slot it names.
  SessionId sender;
  const ClientSlot* slot = nullptr;
};

// A packet that so many of the loop's departures have as their tail.
struct Share {
  net::Packet packet;
  std::uint16_t times = 0;
};

// A frame on its way out. to null: the frame is complete; otherwise egress writes the headers before the datagram.
struct Departure {
  net::Packet packet;
  const state::SessionRecord* to = nullptr;
  PortId port{};
  std::uint16_t payload_offset = 0;  // of the MCP datagram in the packet
  std::uint16_t payload_length = 0;
  std::uint16_t tail_sum = 0;  // of what follows the lead
};

template <class T, std::size_t kCapacity>
class Batch {
 public:
  void push(T&& item) noexcept { add() = std::move(item); }
  // The next place, for the caller to fill: what was there before is still in it.
  T& add() noexcept {
    DCHECK(count_ < kCapacity);
    return items_[count_++];
  }
  std::span<T> items() noexcept { return {items_.data(), count_}; }
  std::size_t room() const noexcept { return kCapacity - count_; }
  bool empty() const noexcept { return count_ == 0; }
  T pop() noexcept { return std::exchange(items_[--count_], T{}); }
  void clear() noexcept { count_ = 0; }
  // To its first `count`.
  void shorten(std::size_t count) noexcept { count_ = count; }

 private:
  std::array<T, kCapacity> items_;
  std::size_t count_ = 0;
};

// Bounds of one loop. Their sum, with two frames for each timer and each ended task, fits a departure batch.
inline constexpr std::uint32_t kCommandsPerLoop = 16;
inline constexpr std::uint32_t kTimersPerLoop = 32;
inline constexpr std::uint32_t kEndedPerLoop = 32;
inline constexpr std::uint32_t kSweptPerLoop = 256;
inline constexpr std::uint32_t kWaitersPerLoop = 64;
inline constexpr std::uint32_t kShadowWaitersPerLoop = 8;  // besides those
inline constexpr std::uint32_t kMirroredPerLoop = 64;
inline constexpr std::uint32_t kOwedPerLoop = 32;  // workers told that their RESULTs are done with
inline constexpr std::uint32_t kRelayedPerLoop = net::kBurstMax;
inline constexpr std::uint32_t kEventsPerLoop = 64;
inline constexpr std::size_t kSpares = 320;
inline constexpr std::size_t kDepartures = 576;
inline constexpr std::size_t kKeptPerPort = 64;  // frames
static_assert(2 * net::kBurstMax + kCommandsPerLoop + 2 * (kTimersPerLoop + kEndedPerLoop) + kWaitersPerLoop +
                  kShadowWaitersPerLoop + kMirroredPerLoop + kOwedPerLoop + kRelayedPerLoop + kEventsPerLoop <=
              kDepartures);
static_assert(kCommandsPerLoop + 2 * (kTimersPerLoop + kEndedPerLoop) + kOwedPerLoop + kMirroredPerLoop +
                  kEventsPerLoop <=
              kSpares);

// route_leg_us of production's tasks whose RESULTs came in this loop: counts of the short ones, so that a burst's time
// is noted once for all tasks with the same, and the others one by one.
struct AnsweredLegs {
  static constexpr std::uint16_t kShortUs = 32;

  std::array<std::uint8_t, kShortUs> counts{};  // by microsecond; a loop has no more than 2 * kBurstMax
  Batch<std::uint16_t, 2 * net::kBurstMax> longer;

  void add(std::uint16_t leg_us) noexcept {
    if (leg_us >= kShortUs) [[unlikely]]
      longer.add() = leg_us;
    else
      ++counts[leg_us];
  }
};
static_assert(2 * net::kBurstMax <= 0xff);

// Of production's tasks that were accepted in this loop, those that joined a line: so who did not wait is counted a
// loop, not a task.
class Joined {
 public:
  void add() noexcept { ++count_; }
  // accepted: ever. Those of the loop that ends that did not join.
  std::uint64_t at_once(std::uint64_t accepted) noexcept {
    return accepted - std::exchange(accepted_, accepted) - std::exchange(count_, 0);
  }

 private:
  std::uint64_t accepted_ = 0, count_ = 0;
};

class Shard {
 public:
  Shard(state::Shared& shared_state, HandoffMesh& mesh, const ShardOptions& given);

  // The packet's buffer goes back to its NIC at the end of the loop.
  void give_back(net::Packet&& packet) noexcept { to_free.push(std::move(packet)); }
  // An empty buffer with full headroom; check buffer() for null.
  net::Packet take_spare() noexcept { return spares.empty() ? net::Packet{} : spares.pop(); }
  void heard_from(SessionId session) noexcept {
    mine.last_seen[session.index()].store(heard_ms, std::memory_order_relaxed);
  }
  ClientSlot& client_slot(const Session& session, std::uint16_t slot) noexcept {
    return client_slots[session.record.client_slot_base + slot];
  }
  TaskToken token_of(const Task& task) noexcept {
    return TaskToken::make(options.id, tasks.index_of(task), task.generation);
  }
  // Of the kind of task that it is; and that a SEND with these flags asks for.
  state::TaskCounters& counters_of(const Task& task) noexcept {
    if (!wire::is_shadow(task.flags)) [[likely]]
      return counters;
    return task.mirror ? counters.mirror : counters.shadow;
  }
  state::TaskCounters& counters_of(std::uint16_t flags) noexcept {
    return wire::is_shadow(flags) ? counters.shadow : counters;
  }
  // An end of the task, in the books of its kind and of its action.
  void count(const Task& task, state::TaskEnds::Which end) noexcept {
    if (wire::is_shadow(task.flags)) [[unlikely]]
      return (counters_of(task).*end).add();
    count_production(task, end);
  }
  // Of a task that is no shadow.
  void count_production(const Task& task, state::TaskEnds::Which end) noexcept {
    state::ShardCounters& counts = counters;
    (counts.*end).add();
    if (observed()) (counts.actions[task.action()].*end).add();
  }
  // kFree is the task table's to set.
  void set_state(Task& task, TaskState to) noexcept {
    state::TaskCounters& counts = counters_of(task);
    if (task.state != TaskState::kFree) counts.in_state[raw(task.state)].subtract();
    counts.in_state[raw(to)].add();
    task.state = to;
    task.tries = 0;
    if (!state::is_open(to)) close(task);
  }
  // Its outcome is decided: it counts no longer for its client and its route's limit.
  void close(Task& task) noexcept {
    if (!task.open) return;
    task.open = false;
    if (Session* client = sessions.find_any(task.client)) --client->open;
    if (task.shared_limit != state::kNoSharedLimit)
      shared.limits[task.shared_limit].open.fetch_sub(1, std::memory_order_relaxed);
  }
  // Its timer stays where it is: the slot's next task moves it, or it finds the slot free.
  void free_task(Task& task) noexcept {
    close(task);
    counters_of(task).in_state[raw(task.state)].subtract();
    tasks.release(task);
  }
  // Serial-number arithmetic, on the shard's clock.
  bool reached(std::uint32_t at_ms) const noexcept { return static_cast<std::int32_t>(now_ms - at_ms) >= 0; }
  // The task is looked at after so long; when its TTL has passed.
  void wake(Task& task, std::uint32_t delay_ms) noexcept { wake_at(task, now_ms + delay_ms); }
  void wake_at_deadline(Task& task) noexcept { wake_at(task, task.deadline_ms); }
  void wake_at(Task& task, std::uint32_t at_ms) noexcept {
    if (!timers.postpone(task.timer, at_ms)) timers.move(tasks.index_of(task), at_ms);
  }
  // What a full queue has not taken yet. Between loops.
  bool keeps_frames() const noexcept {
    return std::ranges::any_of(outgoing, [](const auto& batch) { return !batch.empty(); });
  }
  void begin_loop(std::uint64_t loop_now_ns) noexcept;

  const ShardOptions options;
  state::Shared& shared;
  state::ShardShared& mine;
  state::ShardCounters& counters;
  HandoffMesh& handoff_mesh;

  std::uint64_t now_ns = 0;
  std::uint64_t task_clock = 0;                    // Task::clock_of() it
  std::uint32_t now_ms = 0;                        // since options.start_ns
  std::uint32_t heard_ms = 1;                      // now_ms as last_seen has it, where 0 is never
  std::uint32_t ack_wait_ms = 0;                   // acknowledgements wait so long for a frame that takes them along
  const state::RouteSnapshot* snapshot = nullptr;  // good for this loop
  bool draining = false;

  SessionTable sessions;
  LargeArray<ClientSlot> client_slots;
  TaskTable tasks;
  TimingWheel<TaskTable::TimerOf> timers;
  HeldFrames held;
  RouteCache routes;
  AnswerCache answers;
  std::uint32_t waiting_rotor = 0;
  Random random;  // for choices that nobody gains by guessing
  OwedAcks owed;  // to workers, of RESULTs
  AckBatch acks;  // of this loop's timers
  EventLine events;
  Spans spans;
  // How many events their groups got here. By key, so two groups may share a turn: then neither goes strictly round.
  std::array<std::uint32_t, 1'024> group_turns{};

  // Sessions being ended: a sweep over the task table ends their tasks; those that come during it wait for the next.
  struct Sweep {
    std::vector<SessionId> current, next;
    std::uint32_t cursor = 0;
  } sweep;

  AnsweredLegs answered;
  Joined joined;
  net::Upcoming upcoming;  // of the NIC whose burst is at hand
  Batch<Departure, kDepartures> departures;
  Batch<Share, kEventsPerLoop> shares;
  Batch<net::Packet, kDepartures> to_free;
  Batch<net::Packet, kSpares> spares;
  Batch<net::Packet, net::kBurstMax> leaving;  // one target shard's frames of the burst being settled
  // By PortId. Between loops: what a full queue has not taken yet.
  std::vector<Batch<net::Packet, kDepartures + kKeptPerPort>> outgoing;
};

// Station 2: frames to verdicts; kContinue means a sound MCP datagram for this shard.
void ingress(Shard& shard, std::span<net::Packet> packets, std::span<Frame> frames,
             std::span<Verdict> verdicts) noexcept;
// Station 3: the only switch on frame type.
void dispatch(Shard& shard, std::span<net::Packet> packets, std::span<Frame> frames,
              std::span<Verdict> verdicts) noexcept;
// Station 4: SEND to ROUTE, or into a waiting line, or REJECT.
Verdict on_send(Shard& shard, net::Packet& packet, Frame& frame, Session& session) noexcept;
// waiting.cc. Routes waiting tasks to workers that have room again, at most kWaitersPerLoop.
void route_waiting(Shard& shard) noexcept;
// Station 5 is handoff.h.
// A client's CANCEL.
Verdict on_cancel(Shard& shard, net::Packet& packet, Frame& frame, Session& session) noexcept;
// Station 6: RESULT and ACK to their task.
Verdict on_result(Shard& shard, net::Packet& packet, Frame& frame) noexcept;
Verdict on_ack(Shard& shard, const net::Packet& packet, Frame& frame, const Session& session) noexcept;
// events.cc. A PUBLISH, and what waits of those before, at most kEventsPerLoop.
Verdict on_publish(Shard& shard, net::Packet& packet, Frame& frame) noexcept;
void send_events(Shard& shard) noexcept;
// Station 7: departures to complete frames in `outgoing`.
void egress(Shard& shard, std::uint64_t stamp_ns) noexcept;

// Counts each frame of a burst once and lets go of those that stay here.
void settle(Shard& shard, std::span<net::Packet> packets, std::span<const Frame> frames,
            std::span<const Verdict> verdicts) noexcept;
// Carries out the control thread's commands.
std::uint32_t run_commands(Shard& shard) noexcept;
// Fires timers: TTLs that passed, acknowledgements that waited long enough, frames to ask for or to repeat.
void run_timers(Shard& shard) noexcept;
// Ends the tasks of sessions that are ending.
void run_sweep(Shard& shard) noexcept;

}  // namespace mcplane::dataplane
