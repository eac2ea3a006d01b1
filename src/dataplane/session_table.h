// The sessions a shard serves, by session index, and the client slots of its clients.
// Written by: the shard's core, on the control thread's commands. A lookup is one array access.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/prefetch.h"
#include "base/types.h"
#include "state/messages.h"

namespace mcplane::dataplane {

struct alignas(kCacheLineBytes) Session {
  state::SessionRecord record;  // record.id.value 0: no session here
  bool ending = false;          // its tasks are being ended; it takes no part in anything new
};

class SessionTable {
 public:
  explicit SessionTable(std::uint32_t capacity) : sessions_(new Session[capacity]), capacity_(capacity) {}

  // The live session, null when it is unknown or ending.
  Session* find(SessionId id) noexcept {
    if (id.index() >= capacity_) return nullptr;
    Session& session = sessions_[id.index()];
    return session.record.id == id && id && !session.ending ? &session : nullptr;
  }
  // Live or ending.
  Session* find_any(SessionId id) noexcept {
    if (id.index() >= capacity_) return nullptr;
    Session& session = sessions_[id.index()];
    return session.record.id == id && id ? &session : nullptr;
  }
  Session& at(std::uint32_t index) noexcept { return sessions_[index]; }
  std::uint32_t capacity() const noexcept { return capacity_; }
  void prefetch(SessionId id) const noexcept {
    if (id.index() < capacity_) prefetch_to_read(&sessions_[id.index()]);
  }

 private:
  std::unique_ptr<Session[]> sessions_;
  std::uint32_t capacity_;
};

// One exchange at a time of one client; dedup needs no more than its last sequence and how that ended.
struct ClientSlot {
  enum class State : std::uint8_t { kIdle, kBusy, kDelivered, kRejected };

  std::uint32_t sequence = 0;  // of the newest SEND accepted or rejected
  State state = State::kIdle;
  wire::Reason reason = wire::Reason::Ok;             // kRejected: repeated to a duplicate
  wire::Executed executed = wire::Executed::NotSaid;  // kRejected
  std::uint8_t reserved = 0;
  std::uint32_t retry_after_ms = 0;  // kRejected
};

static_assert(sizeof(ClientSlot) == 12);

}  // namespace mcplane::dataplane
