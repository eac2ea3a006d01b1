// The sessions a shard serves, by session index, and the client slots of its clients.
// Written by: the shard's core, on the control thread's commands. A lookup is one array access.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/large_array.h"
#include "base/prefetch.h"
#include "base/types.h"
#include "dataplane/route_name.h"
#include "state/messages.h"

namespace mcplane::dataplane {

// A RESULT that is done with, of which its worker is to be told.
struct OwedAck {
  std::uint32_t number = 0;  // 0: none
  std::uint32_t added_ms = 0;
};

// Those of one worker. Where there are many workers none is owed more than one for long, so that one is here; the
// others lie in a ring of the worker's (acks.h).
struct Owed {
  OwedAck oldest;
  std::uint8_t first = 0, more = 0;  // of the ring
  bool listed = false;               // among those that are looked at
};

// A frame of the session, and one to it, touch the first two lines: what a station asks of it, and its headers.
struct alignas(kCacheLineBytes) Session {
  SessionId live;                   // record.id until its tasks are being ended: SessionTable's
  std::uint16_t pto_ms = 50;        // how long it may take to answer
  std::uint8_t route_hint = 0;      // client: where its last selector was remembered (route_cache.h)
  std::uint32_t routed = 0;         // worker: number of its last ROUTE from this shard
  std::uint32_t accepted = 0;       // client: tasks
  std::uint32_t open = 0;           // client: tasks whose outcome is not decided, where there are limits
  Owed owed;                        // worker
  std::uint64_t paid_until_ns = 0;  // client: by its rate (state/task_limits.h)
  state::SessionRecord record;      // record.id.value 0: no session here
  std::uint32_t failed_over = 0;    // client: tasks that were given to another worker
  // As accepted and failed_over, of shadow tasks, which spend nothing of those.
  std::uint32_t shadow_accepted = 0, shadow_failed_over = 0;
  // A peer nothing is heard of is asked for one thing at a time, ever slower: it is away, not each frame lost.
  std::uint32_t asked_ms = 0, next_probe_ms = 0;
  std::uint8_t probes = 0;
};

static_assert(sizeof(Session) == 3 * kCacheLineBytes);
static_assert(offsetof(Session, record) + offsetof(state::SessionRecord, lower) == kCacheLineBytes);

class SessionTable {
 public:
  explicit SessionTable(std::uint32_t capacity) : sessions_(capacity), capacity_(capacity) {
    for (std::uint32_t i = 0; i < capacity; ++i) sessions_[i].live = nobody_at(i);
  }

  // The live session, null when it is unknown or ending. One comparison: where there is none, the id belongs elsewhere.
  Session* find(SessionId id) noexcept {
    if (id.index() >= capacity_) return nullptr;
    Session& session = sessions_[id.index()];
    return session.live == id ? &session : nullptr;
  }
  // Live or ending.
  Session* find_any(SessionId id) noexcept {
    if (id.index() >= capacity_) return nullptr;
    Session& session = sessions_[id.index()];
    return session.record.id == id && id ? &session : nullptr;
  }
  Session& at(std::uint32_t index) noexcept { return sessions_[index]; }
  // A new one, nothing of whoever had its index.
  Session& install(const state::SessionRecord& record) noexcept {
    Session& session = sessions_[record.id.index()];
    if (!session.record.id) ++count_;
    session = Session{};
    session.record = record;
    session.live = record.id;
    return session;
  }
  // From now on it takes no part in anything new.
  void end(Session& session) noexcept { session.live = nobody_at(session.record.id.index()); }
  void remove(SessionId id) noexcept {
    Session* const session = find_any(id);
    if (session == nullptr) return;
    *session = Session{};
    session->live = nobody_at(id.index());
    --count_;
  }
  // Live or ending.
  std::uint32_t count() const noexcept { return count_; }
  std::uint32_t capacity() const noexcept { return capacity_; }
  // For a frame of it.
  void prefetch(SessionId id) const noexcept {
    if (id.index() >= capacity_) return;
    prefetch_to_read(&sessions_[id.index()]);
    prefetch_to_read(&sessions_[id.index()].record.lower);
  }
  // For one to it; its headers are fetched once it is forwarded.
  void prefetch_towards(SessionId id) const noexcept {
    if (id.index() < capacity_) prefetch_to_read(&sessions_[id.index()]);
  }

 private:
  // An id that belongs elsewhere.
  static constexpr SessionId nobody_at(std::uint32_t index) noexcept { return {index == 0 ? 1U : 0U}; }

  LargeArray<Session> sessions_;
  std::uint32_t capacity_;
  std::uint32_t count_ = 0;
};

// One exchange at a time of one client; dedup needs no more than its last sequence and how that ended.
//
//   kIdle -> kBusy -> kIdle     a task, until its outcome is known to have come; whether that is on its way the task
//   says,
//                               so that a RESULT does not touch the slot
//   kIdle -> kRefused           a REJECT at once: no task, and the next SEND says that it came
//   kIdle -> kDegraded          likewise, an answer of the broker's own
struct alignas(32) ClientSlot {
  enum class State : std::uint8_t { kIdle, kBusy, kRefused, kDegraded };

  static constexpr std::uint32_t kNoTask = 0xffffffffU;

  std::uint32_t sequence = 0;    // of the newest SEND accepted or refused
  std::uint32_t task = kNoTask;  // kBusy: its index
  // kRefused, and kBusy with a REJECT on its way: when to try again, ms. With a task, until then: what that asks for.
  std::uint32_t retry_after_ms = 0;
  State state = State::kIdle;
  // kRefused, and kBusy with a REJECT on its way: what it says, again to a duplicate. Ok: it was an answer of the
  // broker's.
  wire::Reason reason = wire::Reason::Ok;
  wire::Executed executed = wire::Executed::NotSaid;
  std::uint8_t reserved = 0;
  wire::Id16 task_id{};  // of the task, for people

  void ask_for(RouteName what, const wire::Id16& id) noexcept {
    retry_after_ms = std::bit_cast<std::uint32_t>(what);
    task_id = id;
  }
  RouteName asked() const noexcept { return std::bit_cast<RouteName>(retry_after_ms); }

  void leave() noexcept {
    state = State::kIdle;
    task = kNoTask;
  }
};

static_assert(sizeof(ClientSlot) == 32);

}  // namespace mcplane::dataplane
