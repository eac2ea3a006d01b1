// Slots of a client session: each carries one send at a time, told apart from the slot's earlier ones by sequence. Here
// are a send and what answers it; client_recovery.cc has what time and lost sessions bring about. Nothing here
// allocates in steady state, and a deadline costs one comparison a send: the slots are only looked through when the
// earliest deadline may have passed.
#include "client/client_engine.h"

#include <cstring>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/prefetch.h"
#include "wire/ack.h"

namespace mcplane::client {
namespace {

// A SEND that the broker refused or answered itself at once never became a task: nobody waits for the acknowledgement.
bool wants_ack(const wire::Header& outcome) noexcept {
  const bool from_task =
      outcome.type() == wire::FrameType::Deliver && wire::substitute_of(outcome) == wire::Substitute::None;
  return from_task || outcome.token_generation() != 0;
}

}  // namespace

ClientEngine::ClientEngine(const wire::Endpoint& broker, const wire::HelloBody& hello, std::uint16_t mtu, Random random)
    : session_(broker, hello, mtu, random), slots_(hello.slots), nodes_(hello.slots) {
  free_.reserve(slots_.size());
}

void ClientEngine::start(std::uint64_t now_ns, Outbox& out) { session_.start(now_ns, out); }

std::span<std::byte> ClientEngine::payload_place(std::size_t table_bytes, Outbox& out) const noexcept {
  const std::size_t at = wire::kLeadBytes + table_bytes, end = session_.datagram_bytes_max();
  if (out.full() || at > end) return {};
  return out.reserve().subspan(at, end - at);
}

SendStatus ClientEngine::send(const SendRequest& request, std::uint64_t now_ns, Outbox& out) {
  if (!session_.registered()) return SendStatus::kNotRegistered;
  if (request.table.size() + request.payload.size() > wire::kMessageBytesMax) return SendStatus::kTooLarge;
  if (free_.empty()) return SendStatus::kNoSlot;
  if (out.full()) return SendStatus::kOutboxFull;
  const std::uint16_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.context = request.context;
  slot.sent_ns = now_ns;
  slot.deadline_ns = now_ns + request.ttl_ms * kNsPerMs + kGraceNs;
  ++slot.sequence;
  slot.state = SlotState::kInFlight;
  slot.task_id = request.task_id;
  slot.moved = false;
  ++in_flight_;
  earliest_ns_ = std::min(earliest_ns_, slot.deadline_ns);
  unlist(index);  // this SEND acknowledges the slot's last outcome
  list(index, Listed::kResend, now_ns);
  write_send(request, index, now_ns, out);
  session_.on_sent(now_ns);
  return SendStatus::kSent;
}

// All of it that fits one frame.
void ClientEngine::write_send(const SendRequest& request, std::uint16_t index, std::uint64_t now_ns, Outbox& out) {
  const auto datagram = out.reserve();
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Send);
  const std::size_t message = request.table.size() + request.payload.size();
  const std::size_t here = std::min(message, session_.datagram_bytes_max() - wire::kLeadBytes);
  const auto payload = request.payload.first(here - request.table.size());
  header.mutate_flags(request.flags);
  header.mutate_boot_id(session_.boot_id());
  header.mutate_session(session_.id().value);
  header.mutate_sequence(slots_[index].sequence);
  header.mutate_slot(index);
  header.mutate_table_length(static_cast<std::uint16_t>(request.table.size()));
  header.mutate_message_length(static_cast<std::uint32_t>(message));
  header.mutate_ttl_ms(request.ttl_ms);
  wire::set_affinity(header, request.affinity);
  std::memcpy(header.mutable_task_id()->Data(), request.task_id.data(), request.task_id.size());
  std::memcpy(header.mutable_trace_id()->Data(), request.trace_id.data(), request.trace_id.size());
  std::memcpy(header.mutable_parent_span()->Data(), request.parent_span.data(), request.parent_span.size());
  std::byte* behind = datagram.data() + wire::kLeadBytes;
  std::memcpy(behind, request.table.data(), request.table.size());
  behind += request.table.size();
  if (!payload.empty() && payload.data() != behind) std::memcpy(behind, payload.data(), payload.size());
  const std::uint16_t sum = slots_[index].kept.keep(datagram.first(wire::kLeadBytes + here));
  out.commit(wire::kLeadBytes + here, session_.shard(), sum);
  if (here < message) [[unlikely]]
    begin_parts(request, index, here, now_ns);
}

void ClientEngine::on_datagram(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns,
                               Outbox& out, std::vector<Completion>& done) {
  if (wire::check_datagram(datagram) != DropReason::kNone || !session_.from_broker(from)) {
    ++dropped_;
    return;
  }
  if (session_.on_frame(datagram, now_ns, out)) {
    if (session_.registrations() != registrations_) on_registered(now_ns, done);
    const std::size_t limit = std::min<std::size_t>(session_.slot_limit(), slots_.size());
    if (limit != slot_limit_) use_slots(limit, now_ns);
    return;
  }
  const wire::Header& header = wire::header_of(datagram);
  switch (header.type()) {
    case wire::FrameType::Deliver:
      return on_outcome(datagram, now_ns, out, done);
    case wire::FrameType::Reject:
      if (header.answers() == wire::FrameType::Send) return on_outcome(datagram, now_ns, out, done);
      break;
    case wire::FrameType::Ack:
      if (header.answers() == wire::FrameType::Send || header.answers() == wire::FrameType::Cancel)
        return on_ack(datagram, now_ns);
      break;
    case wire::FrameType::Grant:
      if (header.answers() == wire::FrameType::Send) return on_grant(datagram, now_ns, out);
      break;
    case wire::FrameType::Resend:
      if (header.answers() == wire::FrameType::Send) return on_resend(header, now_ns, out);
      break;
    default:
      break;
  }
  if (events_ == nullptr || !events_->on_frame(datagram, session_, now_ns, out)) ++dropped_;
}

std::uint32_t ClientEngine::subscribe(std::span<const std::byte> table, std::uint64_t now_ns, Outbox& out) {
  if (events_ == nullptr) events_ = std::make_unique<EventEngine>();
  return events_->subscribe(table, session_, now_ns, out);
}

void ClientEngine::unsubscribe(std::uint32_t number, std::uint64_t now_ns, Outbox& out) {
  if (events_) events_->unsubscribe(number, session_, now_ns, out);
}

void ClientEngine::prefetch(std::span<const std::byte> datagram) const noexcept {
  if (datagram.size() < wire::kLeadBytes) return;
  const std::uint16_t slot = wire::header_of(datagram).slot();
  if (slot >= slots_.size()) return;
  prefetch_to_write(&slots_[slot]);
  nodes_.prefetch(slot);
}

bool ClientEngine::ours(const wire::Header& header) const noexcept {
  if (planted(PlantedBug::kForeignOutcome)) return true;
  return header.boot_id() == slots_boot_ && header.session() == slots_session_.value;
}

ClientEngine::Slot* ClientEngine::slot_of(const wire::Header& header) noexcept {
  if (ours(header) && header.slot() < slots_.size()) return &slots_[header.slot()];
  ++dropped_;
  return nullptr;
}

void ClientEngine::on_outcome(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out,
                              std::vector<Completion>& done) {
  const wire::Header& header = wire::header_of(datagram);
  Slot* const slot = slot_of(header);
  if (slot == nullptr) return;
  const bool delivered = header.type() == wire::FrameType::Deliver;
  const std::uint16_t index = header.slot();
  const auto ahead = static_cast<std::int32_t>(header.sequence() - slot->sequence);
  if (ahead != 0 || slot->state == SlotState::kWaiting || slot->sequence == 0) {
    ++(ahead < 0 ? duplicates_ : dropped_);  // its SEND has acknowledged the earlier ones
    return;
  }
  if (slot->state == SlotState::kFree && !planted(PlantedBug::kOutcomeTwice)) {
    ++duplicates_;
    if (wants_ack(header)) acknowledge_again(index, now_ns, out);
    return;
  }
  const bool in_time = slot->state == SlotState::kInFlight;
  if (delivered && (slot->in_parts || wire::is_answer_part(header))) [[unlikely]] {
    if (in_time && is_of_parts(header)) {
      on_send_acknowledged(index, header.sequence());
      return on_answer_part(datagram, now_ns, out, done);
    }
    if (wire::has(header.flags(), wire::Flag::More)) {
      ++duplicates_;
      return;
    }
  }
  end_answered(header, delivered ? wire::payload_of(datagram) : std::span<const std::byte>{}, now_ns, done);
}

// By the broker's word, or a worker's, of an answer in parts its last.
void ClientEngine::end_answered(const wire::Header& header, std::span<const std::byte> payload, std::uint64_t now_ns,
                                std::vector<Completion>& done) {
  const std::uint16_t index = header.slot();
  Slot* const slot = &slots_[index];
  const bool delivered = header.type() == wire::FrameType::Deliver;
  const bool in_time = slot->state == SlotState::kInFlight;
  slot->kept.prefetch();  // the next send is likely to take this slot
  resend_.on_news();
  unlist(index);
  if (wants_ack(header)) list(index, Listed::kAck, now_ns);
  const std::uint64_t context = slot->context, sent_ns = slot->sent_ns;
  const wire::Id16 task_id = slot->task_id;
  // What this session never ran may have run in the one before.
  const bool denies_too_much =
      !planted(PlantedBug::kDenyMoved) && slot->moved && header.executed() == wire::Executed::No;
  free_slot(index, now_ns);
  if (!in_time) {
    ++duplicates_;
    return;
  }
  --in_flight_;
  Completion& completion = done.emplace_back();
  completion.context = context;
  completion.reason = header.reason();
  completion.executed = denies_too_much ? wire::Executed::Maybe : header.executed();
  completion.delivered = delivered;
  completion.attempt = header.attempt();
  completion.worker_session = header.worker_session();
  completion.retry_after_ms = delivered ? 0 : header.ttl_ms();
  if (delivered) {
    completion.substitute = wire::substitute_of(header);
    completion.sampled = wire::has(header.flags(), wire::Flag::Sampled);
    completion.queued_us = header.queued_us();
    completion.worker_us = header.worker_us();
    completion.broker_us = header.broker_us();
  } else {
    completion.slots = wire::slots_of(header);
    completion.free_slots = wire::free_slots_of(header);
  }
  completion.sent_ns = sent_ns;
  completion.task_id = task_id;
  completion.payload = payload;
}

// Of SENDs, any number in one frame; of a CANCEL.
void ClientEngine::on_ack(std::span<const std::byte> datagram, std::uint64_t now_ns) {
  const wire::Header& header = wire::header_of(datagram);
  if (header.answers() == wire::FrameType::Send) {
    if (!ours(header)) {
      ++dropped_;
      return;
    }
    on_send_acknowledged(header.slot(), header.sequence());
    for (const wire::AckEntry& entry : wire::ack_entries(datagram)) on_send_acknowledged(entry.name(), entry.number());
    return;
  }
  const Slot* const slot = slot_of(header);
  if (slot == nullptr || slot->state != SlotState::kCancelling || slot->sequence != header.sequence()) return;
  resend_.on_news();
  unlist(header.slot());
  free_slot(header.slot(), now_ns);
}

void ClientEngine::on_send_acknowledged(std::uint32_t index, std::uint32_t sequence) noexcept {
  if (index >= slots_.size()) return;
  const Slot& slot = slots_[index];
  if (slot.state != SlotState::kInFlight || slot.sequence != sequence || slot.listed != Listed::kResend) return;
  resend_.on_news();
  unlist(static_cast<std::uint16_t>(index));
}

// The broker has the task, but not its payload. It asks again when this is lost, so our timer need not.
void ClientEngine::on_resend(const wire::Header& header, std::uint64_t now_ns, Outbox& out) {
  const Slot* const slot = slot_of(header);
  if (slot == nullptr || slot->sequence != header.sequence()) return;
  // Its outcome came, and the broker has not heard so.
  if (slot->state == SlotState::kFree) return acknowledge_again(header.slot(), now_ns, out);
  if (slot->state != SlotState::kInFlight) return;
  on_send_acknowledged(header.slot(), header.sequence());
  if (out.full() || ttl_left_ms(*slot, now_ns) == 0) return;
  ++retransmissions_;
  write_kept(header.slot(), &header, true, now_ns, out);
}

void ClientEngine::free_slot(std::uint16_t index, std::uint64_t now_ns) {
  end_parts(index);
  slots_[index].state = SlotState::kFree;
  if (index < slot_limit_ && !take_waiting(index, now_ns)) free_.push_back(index);
}

void ClientEngine::list(std::uint16_t index, Listed where, std::uint64_t now_ns) noexcept {
  slots_[index].listed = where;
  if (where == Listed::kResend) return resend_.push(nodes_, index, now_ns);
  (where == Listed::kAck ? owed_ : unsent_).push_back(nodes_, index, now_ns);
}

void ClientEngine::unlist(std::uint16_t index) noexcept {
  Listed& listed = slots_[index].listed;
  if (listed == Listed::kNowhere) return;
  if (listed == Listed::kResend)
    resend_.erase(nodes_, index);
  else
    (listed == Listed::kAck ? owed_ : unsent_).erase(nodes_, index);
  listed = Listed::kNowhere;
}

}  // namespace mcplane::client
