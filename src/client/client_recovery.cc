// What a ClientEngine does by time: frames sent again, acknowledgements of their own, sends that get no outcome, and
// what the application gives up. See client_engine.h.
#include <cstring>

#include "base/planted_bug.h"
#include "client/client_engine.h"
#include "wire/ack.h"

namespace mcplane::client {

namespace {

// Overdue sends are ended together, at most this much early: the slots are looked through at most once in this time.
constexpr std::uint64_t kLookNs = 10 * kNsPerMs;

}  // namespace

void ClientEngine::on_timer(std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done) {
  session_.on_timer(now_ns, out);
  if (now_ns >= earliest_ns_ && !planted(PlantedBug::kNoDeadline)) end_overdue(now_ns, done);
  if (!session_.registered()) return;
  send_what_is_due(now_ns, out);
  send_parts_due(now_ns, out);
  if (events_) events_->on_timer(session_, now_ns, out);
  if (now_ns >= next_ack_ns()) write_acks(now_ns, out);
}

void ClientEngine::send_what_is_due(std::uint64_t now_ns, Outbox& out) {
  while (!out.full() && !unsent_.empty()) {
    const auto index = static_cast<std::uint16_t>(unsent_.first());
    unlist(index);
    transmit(index, false, now_ns, out);
  }
  while (!out.full()) {
    const std::uint32_t index = resend_.take_due(nodes_, now_ns, session_.pto_ns());
    if (index == ResendQueue::kNone) return;
    slots_[index].listed = Listed::kNowhere;
    transmit(static_cast<std::uint16_t>(index), true, now_ns, out);
  }
}

// A SEND whose time is up is not sent again: what remains is to wait for the outcome.
void ClientEngine::transmit(std::uint16_t index, bool again, std::uint64_t now_ns, Outbox& out) {
  const Slot& slot = slots_[index];
  const bool cancelling = slot.state == SlotState::kCancelling;
  if (!cancelling && ttl_left_ms(slot, now_ns) == 0) return;
  if (again && !cancelling && planted(PlantedBug::kSendOnce)) return;
  if (again) ++retransmissions_;
  if (cancelling)
    write_cancel(index, out);
  else
    write_kept(index, nullptr, again, now_ns, out);
  list(index, Listed::kResend, now_ns);
  session_.on_sent(now_ns);
}

// pull: the RESEND that asked for it.
void ClientEngine::write_kept(std::uint16_t index, const wire::Header* pull, bool again, std::uint64_t now_ns,
                              Outbox& out) {
  const Slot& slot = slots_[index];
  const auto kept = slot.kept.bytes();
  const auto datagram = out.reserve();
  std::memcpy(datagram.data(), kept.data(), kept.size());
  wire::Header& header = wire::header_of(datagram);
  header.mutate_ttl_ms(ttl_left_ms(slot, now_ns));
  if (again) header.mutate_flags(static_cast<std::uint16_t>(header.flags() | raw(wire::Flag::Retry)));
  if (pull != nullptr) {
    wire::set_token(header, wire::token_of(*pull));
    header.mutate_attempt(pull->attempt());
  }
  out.commit(kept.size(), session_.shard());
}

void ClientEngine::write_cancel(std::uint16_t index, Outbox& out) {
  wire::Header& header = wire::begin_datagram(out.reserve(), wire::FrameType::Cancel);
  header.mutate_boot_id(session_.boot_id());
  header.mutate_session(session_.id().value);
  header.mutate_slot(index);
  header.mutate_sequence(slots_[index].sequence);
  out.commit(wire::kLeadBytes, session_.shard());
}

// Since a frame goes out anyway, it acknowledges what is not due yet as well.
void ClientEngine::write_acks(std::uint64_t now_ns, Outbox& out) {
  const std::size_t entries_max = wire::ack_entries_max(session_.datagram_bytes_max());
  while (!out.full() && !owed_.empty()) {
    const auto datagram = out.reserve();
    wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Ack);
    const auto first = static_cast<std::uint16_t>(owed_.first());
    unlist(first);
    header.mutate_answers(wire::FrameType::Deliver);
    header.mutate_boot_id(session_.boot_id());
    header.mutate_session(session_.id().value);
    header.mutate_slot(first);
    header.mutate_sequence(slots_[first].sequence);
    std::size_t length = wire::kLeadBytes;
    for (std::size_t i = 0; i < entries_max && !owed_.empty(); ++i) {
      const auto index = static_cast<std::uint16_t>(owed_.first());
      unlist(index);
      length = wire::append_ack_entry(datagram, length, index + (planted(PlantedBug::kAckOtherSlot) ? 1U : 0U),
                                      slots_[index].sequence);
    }
    out.commit(length, session_.shard());
    session_.on_sent(now_ns);
    ++acks_sent_;
  }
}

// The broker has not heard the first: it is told now.
void ClientEngine::acknowledge_again(std::uint16_t index, std::uint64_t now_ns, Outbox& out) {
  if (slots_[index].listed == Listed::kNowhere) list(index, Listed::kAck, now_ns);
  if (!session_.registered()) return;
  write_acks(now_ns, out);
}

std::uint32_t ClientEngine::ttl_left_ms(const Slot& slot, std::uint64_t now_ns) const noexcept {
  const std::uint64_t end_ns = slot.deadline_ns - kGraceNs;
  return end_ns <= now_ns ? 0 : static_cast<std::uint32_t>((end_ns - now_ns) / kNsPerMs);
}

bool ClientEngine::cancel(std::uint64_t context, std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.alive() || slot.context != context) continue;
    end_here(static_cast<std::uint16_t>(i), wire::Reason::Cancelled, now_ns, done);
    if (session_.registered()) send_what_is_due(now_ns, out);
    return true;
  }
  return false;
}

// The outcome of a send that is alive, without the broker's word.
void ClientEngine::complete_here(const Slot& slot, wire::Reason reason, std::vector<Completion>& done) {
  --in_flight_;
  done.push_back({.context = slot.context,
                  .reason = reason,
                  .executed = wire::Executed::Maybe,
                  .broker_lost = reason == wire::Reason::UnknownSession,
                  .sent_ns = slot.sent_ns,
                  .task_id = slot.task_id,
                  .payload = {}});
}

// Ends a send that is alive here. The broker is told, so that it gives up the task and the slot.
void ClientEngine::end_here(std::uint16_t index, wire::Reason reason, std::uint64_t now_ns,
                            std::vector<Completion>& done) {
  Slot& slot = slots_[index];
  complete_here(slot, reason, done);
  end_parts(index);
  if (slot.state == SlotState::kWaiting) {
    slot.state = SlotState::kFree;
    return;
  }
  slot.state = SlotState::kCancelling;
  unlist(index);
  list(index, Listed::kUnsent, now_ns);
}

void ClientEngine::end_overdue(std::uint64_t now_ns, std::vector<Completion>& done) {
  earliest_ns_ = kNever;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.alive()) continue;
    if (slot.deadline_ns > now_ns + kLookNs)
      earliest_ns_ = std::min(earliest_ns_, slot.deadline_ns);
    else
      end_here(static_cast<std::uint16_t>(i), wire::Reason::Expired, now_ns, done);
  }
}

}  // namespace mcplane::client
