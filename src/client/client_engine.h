// A client's protocol, sans-I/O: datagrams and time in, datagrams and outcomes out. The kernel-UDP shell, the
// load generator and the simulation drive this same engine. It keeps every SEND until its outcome, sends it again by
// PTO until the broker has acknowledged it, and acknowledges outcomes: with the slot's next SEND, or by itself when
// none follows soon. One thread; now_ns never goes back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "client/client_parts.h"
#include "client/event_engine.h"
#include "client/kept_datagram.h"
#include "client/resend_queue.h"
#include "client/session.h"
#include "wire/payload.h"
#include "wire/route_table.h"

namespace mcplane::client {

// How a send ended, as the frame (or the engine's own timer) says it; or, before that, a piece of an answer that comes
// in parts, in order. `payload` is the payload of one RESULT, an Answer, or empty; it points into the datagram being
// handled, or into the engine until its next call: copy it before returning.
struct Completion {
  std::uint64_t context = 0;  // what the caller gave to send()
  bool more = false;          // a piece: the end, with the last piece, follows
  wire::Reason reason = wire::Reason::Ok;
  wire::Executed executed = wire::Executed::NotSaid;
  bool delivered = false;                                // a DELIVER; otherwise a REJECT or a timer
  wire::Substitute substitute = wire::Substitute::None;  // DELIVER: wire::substitute_of
  bool broker_lost = false;                              // the session ended under it
  bool sampled = false;                                  // DELIVER: its trace is, also by the broker alone
  std::uint8_t attempt = 0;
  std::uint32_t worker_session = 0;
  std::uint32_t retry_after_ms = 0;
  std::uint32_t slots = 0, free_slots = 0;  // REJECT: wire::slots_of
  std::uint32_t queued_us = 0, worker_us = 0, broker_us = 0;
  std::uint64_t sent_ns = 0;
  wire::Id16 task_id{};
  std::span<const std::byte> payload;
};

struct SendRequest {
  std::uint64_t context = 0;  // of no other send in flight, if it is ever to be cancelled
  wire::Id16 task_id{};
  std::uint32_t ttl_ms = 0;
  std::uint16_t flags = 0;     // wire::Flag bits and priority
  std::uint32_t affinity = 0;  // wire::set_affinity
  wire::Id16 trace_id{};
  std::array<std::uint8_t, 8> parent_span{};
  std::span<const std::byte> table;    // wire::write_route_table
  std::span<const std::byte> payload;  // copied, unless it was written to ClientEngine::payload_place()
};

enum class SendStatus : std::uint8_t { kSent, kNoSlot, kNotRegistered, kTooLarge, kOutboxFull };

// After TTL plus this long without an outcome from the broker, the engine itself ends a send: Expired, Maybe.
using wire::kGraceNs;

class ClientEngine {
 public:
  ClientEngine(const wire::Endpoint& broker, const wire::HelloBody& hello, std::uint16_t mtu, Random random);

  // As of Session.
  void add_broker(const wire::Endpoint& broker) { session_.add_broker(broker); }
  void start(std::uint64_t now_ns, Outbox& out);
  // Where the payload of the next send(), if its table has that many bytes, goes: who makes it there saves a copy.
  // Empty when there is no room. Until anything else is asked of the engine or the outbox.
  std::span<std::byte> payload_place(std::size_t table_bytes, Outbox& out) const noexcept;
  SendStatus send(const SendRequest& request, std::uint64_t now_ns, Outbox& out);
  // Ends a send at once as Cancelled, Maybe, and tells the broker until it has heard. False: no such send is in flight.
  // Looks through the slots.
  bool cancel(std::uint64_t context, std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done);
  // As of EventEngine; what a datagram brought of events is in events() until the next one.
  std::uint32_t subscribe(std::span<const std::byte> table, std::uint64_t now_ns, Outbox& out);
  void unsubscribe(std::uint32_t number, std::uint64_t now_ns, Outbox& out);
  PublishStatus publish(std::span<const std::byte> table, std::span<const std::byte> payload, std::uint64_t now_ns,
                        Outbox& out) {
    return EventEngine::publish(table, payload, session_, now_ns, out);
  }
  EventEngine* events() noexcept { return events_.get(); }  // null until the first subscribe()
  const EventEngine* events() const noexcept { return events_.get(); }
  // Appends at most one completion; only a HELLO's ACK that brings another session than before appends one for each
  // send in flight that is not IDEMPOTENT (broker_lost) or has no time left. A datagram that is unsound, foreign, late
  // or a duplicate completes nothing and is counted.
  void on_datagram(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out,
                   std::vector<Completion>& done);
  // Brings what on_datagram() of this datagram will look at into the cache. The engine itself should be there.
  void prefetch(std::span<const std::byte> datagram) const noexcept;
  // Runs what is due: HELLO, PING, frames to be sent again, acknowledgements, and sends that got no outcome by TTL +
  // grace. With a full outbox the rest stays due.
  void on_timer(std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done);
  std::uint64_t next_timer_ns() const noexcept {
    const std::uint64_t either_ns = std::min(session_.next_timer_ns(), earliest_ns_);
    if (!session_.registered()) return either_ns;
    const std::uint64_t events_ns = events_ ? events_->next_timer_ns(session_) : kNever;
    return std::min({either_ns, next_parts_ns(), events_ns, resend_.next_ns(nodes_, session_.pto_ns()), next_ack_ns(),
                     unsent_.first_ns(nodes_)});
  }
  // BYE; everything in flight completes as broker_lost.
  void close(std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done);

  const Session& session() const noexcept { return session_; }
  std::size_t in_flight() const noexcept { return in_flight_; }
  std::size_t slots_free() const noexcept { return free_.size(); }
  std::uint64_t duplicates() const noexcept { return duplicates_; }  // outcomes for a slot that had its outcome
  std::uint64_t dropped() const noexcept { return dropped_; }        // unsound or foreign datagrams
  std::uint64_t retransmissions() const noexcept { return retransmissions_; }  // SENDs and CANCELs, pulled ones too
  std::uint64_t acks_sent() const noexcept { return acks_sent_; }              // frames, not outcomes acknowledged

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  enum class SlotState : std::uint8_t {
    kFree,
    kInFlight,
    kCancelling,  // its send has ended here; the broker is being told
    kWaiting,     // in flight, but the session it was sent in is gone, and the new one has no slot for it yet
  };
  enum class Listed : std::uint8_t { kNowhere, kUnsent, kResend, kAck };

  // One cache line: a send and its outcome touch nothing else of the slot array.
  struct alignas(kCacheLineBytes) Slot {
    std::uint64_t context = 0;
    std::uint64_t sent_ns = 0;
    std::uint64_t deadline_ns = 0;
    KeptDatagram kept;  // the SEND
    wire::Id16 task_id{};
    std::uint32_t sequence = 0;  // of the latest send in this session
    SlotState state = SlotState::kFree;
    Listed listed = Listed::kNowhere;
    bool moved = false;     // sent before, in a session that is gone
    bool in_parts = false;  // parts_ has something of its task or its answer

    // The application waits for its outcome.
    bool alive() const noexcept { return state == SlotState::kInFlight || state == SlotState::kWaiting; }
  };
  static_assert(sizeof(Slot) == kCacheLineBytes);

  void write_send(const SendRequest& request, std::uint16_t index, std::uint64_t now_ns, Outbox& out);
  bool ours(const wire::Header& header) const noexcept;
  // Of our session, on a slot of ours: counted when it is not.
  Slot* slot_of(const wire::Header& header) noexcept;
  void on_outcome(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out,
                  std::vector<Completion>& done);
  void on_ack(std::span<const std::byte> datagram, std::uint64_t now_ns);
  void on_send_acknowledged(std::uint32_t index, std::uint32_t sequence) noexcept;
  void on_resend(const wire::Header& header, std::uint64_t now_ns, Outbox& out);
  void free_slot(std::uint16_t index, std::uint64_t now_ns);

  void end_answered(const wire::Header& header, std::span<const std::byte> payload, std::uint64_t now_ns,
                    std::vector<Completion>& done);

  // client_parts.cc
  void begin_parts(const SendRequest& request, std::uint16_t index, std::size_t part_bytes, std::uint64_t now_ns);
  void end_parts(std::uint16_t index) noexcept;
  ClientParts::Exchange* find_parts(std::uint16_t index) noexcept;
  void restart_parts(std::uint16_t index) noexcept;
  bool has_pieces(std::uint16_t index) noexcept;
  void on_grant(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out);
  bool is_of_parts(const wire::Header& deliver) noexcept;
  void on_answer_part(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out,
                      std::vector<Completion>& done);
  void send_parts(ClientParts::Exchange& exchange, std::uint64_t now_ns, Outbox& out);
  void write_part(const ClientParts::Exchange& exchange, std::uint32_t part, bool again, std::uint64_t now_ns,
                  Outbox& out);
  static void complete_piece(const Slot& slot, const wire::Header& about, std::span<const std::byte> piece,
                             std::vector<Completion>& done);
  void write_grant_if_due(ClientParts::Exchange& exchange, std::uint64_t now_ns, Outbox& out);
  void send_parts_due(std::uint64_t now_ns, Outbox& out);
  std::uint64_t next_parts_ns() const noexcept;

  // client_recovery.cc
  void send_what_is_due(std::uint64_t now_ns, Outbox& out);
  void transmit(std::uint16_t index, bool again, std::uint64_t now_ns, Outbox& out);
  void write_kept(std::uint16_t index, const wire::Header* pull, bool again, std::uint64_t now_ns, Outbox& out);
  void write_cancel(std::uint16_t index, Outbox& out);
  void write_acks(std::uint64_t now_ns, Outbox& out);
  void acknowledge_again(std::uint16_t index, std::uint64_t now_ns, Outbox& out);
  void end_overdue(std::uint64_t now_ns, std::vector<Completion>& done);
  void complete_here(const Slot& slot, wire::Reason reason, std::vector<Completion>& done);
  void end_here(std::uint16_t index, wire::Reason reason, std::uint64_t now_ns, std::vector<Completion>& done);
  std::uint32_t ttl_left_ms(const Slot& slot, std::uint64_t now_ns) const noexcept;

  // client_sessions.cc
  void on_registered(std::uint64_t now_ns, std::vector<Completion>& done);
  void use_slots(std::size_t limit, std::uint64_t now_ns);
  void start_again(std::uint16_t index, std::uint64_t now_ns) noexcept;
  bool take_waiting(std::uint16_t index, std::uint64_t now_ns) noexcept;

  void list(std::uint16_t index, Listed where, std::uint64_t now_ns) noexcept;
  void unlist(std::uint16_t index) noexcept;
  std::uint64_t next_ack_ns() const noexcept { return owed_.due_ns(nodes_, session_.max_ack_delay_ns()); }

  Session session_;
  std::vector<Slot> slots_;
  std::vector<std::uint16_t> free_;  // last in, first out: the slot whose cache line is warm
  std::size_t slot_limit_ = 0;       // slots from here on are not used for new sends
  std::size_t in_flight_ = 0;

  TimedNodes nodes_;                    // of slots
  ResendQueue resend_;                  // in flight and not acknowledged, or cancelling
  TimedList unsent_;                    // as those, but not sent in this session; since when
  TimedList owed_;                      // free, their outcome not acknowledged; since when
  std::vector<std::uint16_t> waiting_;  // kWaiting, or no longer; the next one last
  ClientParts parts_;
  // Apart: an engine of tasks alone stays in as few cache lines as it was.
  std::unique_ptr<EventEngine> events_;

  // No slot's deadline is earlier; often late sends have moved the true one further, which the next look finds out.
  std::uint64_t earliest_ns_ = kNever;
  std::uint64_t duplicates_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t retransmissions_ = 0;
  std::uint64_t acks_sent_ = 0;
  std::uint32_t registrations_ = 0;  // of the session, when the slots were last looked at
  SessionId slots_session_;          // the session, boot and broker the slot sequences belong to
  std::uint32_t slots_boot_ = 0;
  wire::Endpoint slots_broker_;
};

}  // namespace mcplane::client
