// Slots of a client session: each carries one send at a time, told apart from the slot's earlier ones by sequence.
// Nothing here allocates after construction, and a deadline costs one comparison a send: the slots are only looked
// through when the earliest deadline may have passed.
#include "client/client_engine.h"

#include <cstring>

#include "base/check.h"
#include "base/prefetch.h"

namespace mcplane::client {

namespace {

// Overdue sends are ended together, at most this much early: the slots are looked through at most once in this time.
constexpr std::uint64_t kLookNs = 10 * kNsPerMs;

// SENDs lost on the way leave the broker's sequence behind ours, by how much is unknown. Within kSequenceAheadMax the
// next one is always accepted. Beyond, one of two neighbouring numbers is: take them in turn.
constexpr std::uint32_t next_sequence(std::uint32_t heard, std::uint32_t unheard) noexcept {
  if (unheard < kSequenceAheadMax) return heard + unheard + 1;
  return heard + kSequenceAheadMax + (unheard & 1U);
}

}  // namespace

ClientEngine::ClientEngine(const wire::Endpoint& broker, const wire::HelloBody& hello, std::uint16_t mtu, Random random)
    : session_(broker, hello, mtu, random), slots_(hello.slots) {
  free_.reserve(slots_.size());
}

void ClientEngine::start(std::uint64_t now_ns, Outbox& out) { session_.start(now_ns, out); }

SendStatus ClientEngine::send(const SendRequest& request, std::uint64_t now_ns, Outbox& out) {
  if (!session_.registered()) return SendStatus::kNotRegistered;
  const std::size_t length = wire::kLeadBytes + request.table.size() + request.payload.size();
  if (length > session_.datagram_bytes_max()) return SendStatus::kTooLarge;
  if (free_.empty()) return SendStatus::kNoSlot;
  if (out.full()) return SendStatus::kOutboxFull;
  const std::uint16_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.context = request.context;
  slot.sent_ns = now_ns;
  slot.deadline_ns = now_ns + request.ttl_ms * kNsPerMs + kGraceNs;
  slot.sequence = next_sequence(slot.heard, slot.unheard);
  slot.state = SlotState::kInFlight;
  slot.task_id = request.task_id;
  ++in_flight_;
  earliest_ns_ = std::min(earliest_ns_, slot.deadline_ns);
  write_send(request, index, out);
  session_.on_sent(now_ns);
  return SendStatus::kSent;
}

void ClientEngine::write_send(const SendRequest& request, std::uint16_t slot, Outbox& out) {
  const auto datagram = out.reserve();
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Send);
  const std::size_t message = request.table.size() + request.payload.size();
  header.mutate_flags(request.flags);
  header.mutate_boot_id(session_.boot_id());
  header.mutate_session(session_.id().value);
  header.mutate_sequence(slots_[slot].sequence);
  header.mutate_slot(slot);
  header.mutate_table_length(static_cast<std::uint16_t>(request.table.size()));
  header.mutate_message_length(static_cast<std::uint32_t>(message));
  header.mutate_ttl_ms(request.ttl_ms);
  std::memcpy(header.mutable_task_id()->Data(), request.task_id.data(), request.task_id.size());
  std::memcpy(header.mutable_trace_id()->Data(), request.trace_id.data(), request.trace_id.size());
  std::memcpy(header.mutable_parent_span()->Data(), request.parent_span.data(), request.parent_span.size());
  std::byte* behind = datagram.data() + wire::kLeadBytes;
  std::memcpy(behind, request.table.data(), request.table.size());
  if (!request.payload.empty())
    std::memcpy(behind + request.table.size(), request.payload.data(), request.payload.size());
  out.commit(wire::kLeadBytes + message, session_.shard());
}

void ClientEngine::on_datagram(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns,
                               Outbox& out, std::vector<Completion>& done) {
  if (wire::check_datagram(datagram) != DropReason::kNone || !session_.from_broker(from)) {
    ++dropped_;
    return;
  }
  const bool was_session = session_.on_frame(datagram, now_ns, out);
  if (session_.registrations() != registrations_) on_registered(done);
  const wire::Header& header = wire::header_of(datagram);
  switch (header.type()) {
    case wire::FrameType::Deliver:
      return on_outcome(datagram, done);
    case wire::FrameType::Reject:
      if (header.answers() == wire::FrameType::Send) return on_outcome(datagram, done);
      break;
    case wire::FrameType::Ack:  // the broker has a repeated SEND
      if (header.answers() == wire::FrameType::Send) return;
      break;
    default:
      break;
  }
  if (!was_session) ++dropped_;
}

void ClientEngine::prefetch(std::span<const std::byte> datagram) const noexcept {
  if (datagram.size() < wire::kLeadBytes) return;
  const std::uint16_t slot = wire::header_of(datagram).slot();
  if (slot < slots_.size()) prefetch_to_write(&slots_[slot]);
}

bool ClientEngine::is_duplicate(const Slot& slot, const wire::Header& header) const noexcept {
  return slot.state != SlotState::kInFlight || static_cast<std::int32_t>(header.sequence() - slot.sequence) < 0;
}

void ClientEngine::on_outcome(std::span<const std::byte> datagram, std::vector<Completion>& done) {
  const wire::Header& header = wire::header_of(datagram);
  const bool ours = header.boot_id() == slots_boot_ && header.session() == slots_session_.value;
  if (!ours || header.slot() >= slots_.size()) {
    ++dropped_;
    return;
  }
  Slot& slot = slots_[header.slot()];
  // A sequence taken twice (next_sequence) needs the task id to tell which send the outcome is for.
  const bool matches = header.sequence() == slot.sequence &&
                       (slot.unheard < kSequenceAheadMax || wire::task_id_of(header) == slot.task_id);
  if (!matches || slot.state == SlotState::kFree) {
    ++(is_duplicate(slot, header) ? duplicates_ : dropped_);
    return;
  }
  const bool in_time = slot.state == SlotState::kInFlight;
  slot.heard = slot.sequence;
  slot.unheard = 0;
  free_slot(header.slot());
  if (!in_time) {
    ++duplicates_;
    return;
  }
  --in_flight_;
  const bool delivered = header.type() == wire::FrameType::Deliver;
  Completion& completion = done.emplace_back();
  completion.context = slot.context;
  completion.reason = header.reason();
  completion.executed = header.executed();
  completion.delivered = delivered;
  completion.attempt = header.attempt();
  completion.worker_session = header.worker_session();
  completion.retry_after_ms = delivered ? 0 : header.ttl_ms();
  completion.queued_us = header.queued_us();
  completion.worker_us = header.worker_us();
  completion.broker_us = header.broker_us();
  completion.sent_ns = slot.sent_ns;
  completion.task_id = slot.task_id;
  if (delivered) completion.payload = wire::payload_of(datagram);
}

void ClientEngine::free_slot(std::uint16_t index) noexcept {
  slots_[index].state = SlotState::kFree;
  free_.push_back(index);
}

// The same session under the same boot id goes on where it was; another one starts with fresh slots.
void ClientEngine::on_registered(std::vector<Completion>& done) {
  registrations_ = session_.registrations();
  if (session_.id() == slots_session_ && session_.boot_id() == slots_boot_) return;
  lose_all(done);
  slots_session_ = session_.id();
  slots_boot_ = session_.boot_id();
  free_.clear();
  for (Slot& slot : slots_) slot = {};
  const std::size_t granted = std::min<std::size_t>(slots_.size(), session_.slot_limit());
  for (std::size_t i = granted; i > 0; --i) free_.push_back(static_cast<std::uint16_t>(i - 1));
}

void ClientEngine::on_timer(std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done) {
  session_.on_timer(now_ns, out);
  if (now_ns >= earliest_ns_) end_overdue(now_ns, done);
}

void ClientEngine::end_overdue(std::uint64_t now_ns, std::vector<Completion>& done) {
  earliest_ns_ = kNever;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.state == SlotState::kFree) continue;
    if (slot.deadline_ns > now_ns + kLookNs) {
      earliest_ns_ = std::min(earliest_ns_, slot.deadline_ns);
    } else if (slot.state == SlotState::kQuarantined) {
      free_slot(static_cast<std::uint16_t>(i));
    } else {
      slot.state = SlotState::kQuarantined;
      slot.deadline_ns += kQuarantineNs;
      ++slot.unheard;
      --in_flight_;
      earliest_ns_ = std::min(earliest_ns_, slot.deadline_ns);
      done.push_back({.context = slot.context,
                      .reason = wire::Reason::Expired,
                      .executed = wire::Executed::Maybe,
                      .sent_ns = slot.sent_ns,
                      .task_id = slot.task_id,
                      .payload = {}});
    }
  }
}

void ClientEngine::lose_all(std::vector<Completion>& done) {
  for (Slot& slot : slots_) {
    if (slot.state != SlotState::kInFlight) continue;
    slot.state = SlotState::kFree;
    done.push_back({.context = slot.context,
                    .reason = wire::Reason::UnknownSession,
                    .executed = wire::Executed::Maybe,
                    .broker_lost = true,
                    .sent_ns = slot.sent_ns,
                    .task_id = slot.task_id,
                    .payload = {}});
  }
  in_flight_ = 0;
  earliest_ns_ = kNever;
}

void ClientEngine::close(std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done) {
  session_.close(now_ns, out);
  lose_all(done);
  free_.clear();
}

}  // namespace mcplane::client
