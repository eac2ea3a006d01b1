// A client's protocol, sans-I/O: datagrams and time in, datagrams and outcomes out. The kernel-UDP shell, the
// load generator and the simulation drive this same engine. One thread; now_ns never goes back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "client/session.h"
#include "wire/payload.h"
#include "wire/route_table.h"

namespace mcplane::client {

// How a send ended, as the frame (or the engine's own timer) says it. `payload` is the RESULT's payload bytes and
// points into the datagram being handled: copy it before returning.
struct Completion {
  std::uint64_t context = 0;  // what the caller gave to send()
  wire::Reason reason = wire::Reason::Ok;
  wire::Executed executed = wire::Executed::NotSaid;
  bool delivered = false;    // a DELIVER; otherwise a REJECT or a timer
  bool broker_lost = false;  // the session ended under it
  std::uint8_t attempt = 0;
  std::uint32_t worker_session = 0;
  std::uint32_t retry_after_ms = 0;
  std::uint32_t queued_us = 0, worker_us = 0, broker_us = 0;
  std::uint64_t sent_ns = 0;
  wire::Id16 task_id{};
  std::span<const std::byte> payload;
};

struct SendRequest {
  std::uint64_t context = 0;
  wire::Id16 task_id{};
  std::uint32_t ttl_ms = 0;
  std::uint16_t flags = 0;  // wire::Flag bits and priority
  wire::Id16 trace_id{};
  std::array<std::uint8_t, 8> parent_span{};
  std::span<const std::byte> table;    // wire::write_route_table
  std::span<const std::byte> payload;  // written once into the datagram
};

enum class SendStatus : std::uint8_t { kSent, kNoSlot, kNotRegistered, kTooLarge, kOutboxFull };

// After TTL plus this long without an outcome from the broker, the engine itself ends a send: Expired, Maybe.
inline constexpr std::uint64_t kGraceNs = 500 * kNsPerMs;
// Then the slot rests: by TTL + grace the broker has ended the task too, unless its frames are this late.
inline constexpr std::uint64_t kQuarantineNs = kNsPerSecond;
// On an idle slot the broker accepts any sequence this far ahead of the last it saw (serial-number arithmetic): SENDs
// lost before reaching it leave gaps.
inline constexpr std::uint32_t kSequenceAheadMax = 8;

class ClientEngine {
 public:
  ClientEngine(const wire::Endpoint& broker, const wire::HelloBody& hello, std::uint16_t mtu, Random random);

  void start(std::uint64_t now_ns, Outbox& out);
  SendStatus send(const SendRequest& request, std::uint64_t now_ns, Outbox& out);
  // Appends at most one completion; only a HELLO's ACK that brings another session than before appends one for each
  // send in flight (broker_lost). A datagram that is unsound, foreign, late or a duplicate changes nothing and is
  // counted.
  void on_datagram(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out,
                   std::vector<Completion>& done);
  // Brings what on_datagram() of this datagram will look at into the cache. The engine itself should be there.
  void prefetch(std::span<const std::byte> datagram) const noexcept;
  // Runs what is due: HELLO, PING, and sends that got no outcome by TTL + grace.
  void on_timer(std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done);
  std::uint64_t next_timer_ns() const noexcept { return std::min(session_.next_timer_ns(), earliest_ns_); }
  // BYE; everything in flight completes as broker_lost.
  void close(std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done);

  const Session& session() const noexcept { return session_; }
  std::size_t in_flight() const noexcept { return in_flight_; }
  std::size_t slots_free() const noexcept { return free_.size(); }
  std::uint64_t duplicates() const noexcept { return duplicates_; }  // outcomes for a slot that had its outcome
  std::uint64_t dropped() const noexcept { return dropped_; }        // unsound or foreign datagrams

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  enum class SlotState : std::uint8_t {
    kFree,
    kInFlight,
    kQuarantined,  // ended by our timer: free at deadline_ns, or when the broker's outcome comes after all
  };

  // One cache line: a send and its outcome touch nothing else of the slot array.
  struct alignas(kCacheLineBytes) Slot {
    std::uint64_t context = 0;
    std::uint64_t sent_ns = 0;
    std::uint64_t deadline_ns = 0;
    std::uint32_t sequence = 0;  // of the latest send
    std::uint32_t heard = 0;     // latest sequence the broker gave an outcome for
    std::uint32_t unheard = 0;   // sends since then that our timer ended
    SlotState state = SlotState::kFree;
    wire::Id16 task_id{};
  };
  static_assert(sizeof(Slot) == kCacheLineBytes);

  void write_send(const SendRequest& request, std::uint16_t slot, Outbox& out);
  void on_outcome(std::span<const std::byte> datagram, std::vector<Completion>& done);
  void on_registered(std::vector<Completion>& done);
  void end_overdue(std::uint64_t now_ns, std::vector<Completion>& done);
  void lose_all(std::vector<Completion>& done);
  void free_slot(std::uint16_t index) noexcept;
  bool is_duplicate(const Slot& slot, const wire::Header& header) const noexcept;

  Session session_;
  std::vector<Slot> slots_;
  std::vector<std::uint16_t> free_;  // last in, first out: the slot whose cache line is warm
  std::size_t in_flight_ = 0;
  // No slot's deadline is earlier; often late sends have moved the true one further, which the next look finds out.
  std::uint64_t earliest_ns_ = kNever;
  std::uint64_t duplicates_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint32_t registrations_ = 0;  // of the session, when the slots were last looked at
  SessionId slots_session_;          // the session and boot the slot sequences belong to
  std::uint32_t slots_boot_ = 0;
};

}  // namespace mcplane::client
