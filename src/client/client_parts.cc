// Messages in parts at a client: the side table of client_parts.h, and what a ClientEngine does with it.
#include "client/client_parts.h"

#include <cstring>
#include <utility>

#include "base/planted_bug.h"
#include "client/client_engine.h"

namespace mcplane::client {

ClientParts::Exchange* ClientParts::find(std::uint16_t slot) noexcept {
  const auto found = std::ranges::find(exchanges_, slot, &Exchange::slot);
  return found == exchanges_.end() ? nullptr : &*found;
}

ClientParts::Exchange& ClientParts::find_or_add(std::uint16_t slot) {
  if (Exchange* const found = find(slot)) return *found;
  Exchange& added = exchanges_.emplace_back();
  added.slot = slot;
  return added;
}

void ClientParts::end(std::uint16_t slot) noexcept {
  Exchange* const found = find(slot);
  if (found == nullptr) return;
  ended_ = std::move(found->answer);
  if (found != &exchanges_.back()) *found = std::move(exchanges_.back());
  exchanges_.pop_back();
}

void ClientParts::move(std::uint16_t from, std::uint16_t to) noexcept {
  if (Exchange* const found = find(from)) found->slot = to;
}

// Behind its part 0, which was just written and has `part_bytes` behind its lead.
void ClientEngine::begin_parts(const SendRequest& request, std::uint16_t index, std::size_t part_bytes,
                               std::uint64_t now_ns) {
  slots_[index].in_parts = true;
  OutgoingTask& task = *(parts_.find_or_add(index).task = std::make_unique<OutgoingTask>());
  task.message.reserve(request.table.size() + request.payload.size());
  task.message.assign(request.table.begin(), request.table.end());
  task.message.insert(task.message.end(), request.payload.begin(), request.payload.end());
  task.part_bytes = part_bytes;
  task.sender.add(static_cast<std::uint32_t>((task.message.size() + part_bytes - 1) / part_bytes));
  task.sender.take_next(now_ns);
}

void ClientEngine::end_parts(std::uint16_t index) noexcept {
  if (!slots_[index].in_parts) return;
  slots_[index].in_parts = false;
  parts_.end(index);
}

// Null: its messages are one frame each, so far.
ClientParts::Exchange* ClientEngine::find_parts(std::uint16_t index) noexcept {
  return slots_[index].in_parts ? parts_.find(index) : nullptr;
}

// Its part 0 is to be sent as a new one.
void ClientEngine::restart_parts(std::uint16_t index) noexcept {
  ClientParts::Exchange* const exchange = find_parts(index);
  if (exchange == nullptr || exchange->task == nullptr) return;
  exchange->task->attempt = 0;
  exchange->task->sender.begin_again();
}

// Part of its answer has come: it cannot begin anew.
bool ClientEngine::has_pieces(std::uint16_t index) noexcept {
  const ClientParts::Exchange* const exchange = find_parts(index);
  return exchange != nullptr && exchange->answer != nullptr;
}

void ClientEngine::on_grant(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out) {
  const wire::Header& header = wire::header_of(datagram);
  const Slot* const slot = slot_of(header);
  if (slot == nullptr) return;
  ClientParts::Exchange* const exchange = find_parts(header.slot());
  OutgoingTask* const task = exchange != nullptr ? exchange->task.get() : nullptr;
  if (slot->sequence != header.sequence() || slot->state != SlotState::kInFlight || task == nullptr ||
      header.attempt() < task->attempt) {
    ++dropped_;
    return;
  }
  on_send_acknowledged(header.slot(), header.sequence());
  if (header.attempt() > task->attempt) {
    if (task->attempt > 0) task->sender.begin_again();
    task->attempt = header.attempt();
    task->token = wire::token_of(header);
  }
  const auto bitmap = wire::payload_of(datagram);
  if (!task->sender.on_grant(wire::grant_next(header), wire::grant_limit(header), bitmap, now_ns, session_.pto_ns()))
    return;
  send_parts(*exchange, now_ns, out);
}

void ClientEngine::send_parts(ClientParts::Exchange& exchange, std::uint64_t now_ns, Outbox& out) {
  exchange.task->sender.send(
      now_ns, [&out] { return !out.full(); },
      [&](std::uint32_t part, bool again) { write_part(exchange, part, again, now_ns, out); });
}

void ClientEngine::write_part(const ClientParts::Exchange& exchange, std::uint32_t part, bool again,
                              std::uint64_t now_ns, Outbox& out) {
  const Slot& slot = slots_[exchange.slot];
  const std::uint32_t ttl_ms = ttl_left_ms(slot, now_ns);
  if (ttl_ms == 0) return;
  if (again) ++retransmissions_;
  if (part == 0) return write_kept(exchange.slot, nullptr, true, now_ns, out);
  const OutgoingTask& task = *exchange.task;
  const auto datagram = out.reserve();
  std::memcpy(datagram.data(), slot.kept.bytes().data(), wire::kLeadBytes);
  wire::Header& header = wire::header_of(datagram);
  header.mutate_ttl_ms(ttl_ms);
  if (again) header.mutate_flags(static_cast<std::uint16_t>(header.flags() | raw(wire::Flag::Retry)));
  header.mutate_attempt(task.attempt);
  wire::set_token(header, task.token);
  header.mutate_table_length(0);
  header.mutate_fragment_index(static_cast<std::uint16_t>(part));
  const auto bytes = task.part(part);
  std::memcpy(datagram.data() + wire::kLeadBytes, bytes.data(), bytes.size());
  out.commit(wire::kLeadBytes + bytes.size(), session_.shard());
  session_.on_sent(now_ns);
}

// A DELIVER of a slot in flight.
bool ClientEngine::is_of_parts(const wire::Header& deliver) noexcept {
  return wire::is_answer_part(deliver) || has_pieces(deliver.slot());
}

void ClientEngine::complete_piece(const Slot& slot, const wire::Header& about, std::span<const std::byte> piece,
                                  std::vector<Completion>& done) {
  done.push_back({.context = slot.context,
                  .more = true,
                  .executed = wire::Executed::Yes,
                  .delivered = true,
                  .attempt = about.attempt(),
                  .worker_session = about.worker_session(),
                  .sent_ns = slot.sent_ns,
                  .task_id = slot.task_id,
                  .payload = piece});
}

// A part of an answer, on a slot in flight. Gives what is in order by now to `done`; the last ends the exchange.
void ClientEngine::on_answer_part(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out,
                                  std::vector<Completion>& done) {
  const wire::Header& header = wire::header_of(datagram);
  slots_[header.slot()].in_parts = true;
  ClientParts::Exchange& exchange = parts_.find_or_add(header.slot());
  if (exchange.answer == nullptr) {
    exchange.answer = std::make_unique<IncomingAnswer>();
    exchange.answer->about = header;
    exchange.answer->receiver.open();
  }
  IncomingAnswer& answer = *exchange.answer;
  // The broker ends a task whose worker is lost amid its answer: another's is an error of its.
  if (header.attempt() != answer.about.attempt()) {
    ++dropped_;
    return;
  }
  const std::uint32_t before = answer.receiver.next();
  const PartReceiver::Part part = answer.receiver.on_part(header.fragment_index(), now_ns);
  if (part.arrival != PartReceiver::Arrival::kNew) {
    ++(part.arrival == PartReceiver::Arrival::kAgain ? duplicates_ : dropped_);
    return write_grant_if_due(exchange, now_ns, out);
  }
  const auto payload = wire::payload_of(datagram);
  if (!wire::has(header.flags(), wire::Flag::More)) {
    answer.last = part.number;
    answer.end = header;
  }
  if (part.number != before && !planted(PlantedBug::kPartsAsTheyCome)) {
    answer.early[part.number % PartReceiver::kWindow].assign(payload.begin(), payload.end());
    return write_grant_if_due(exchange, now_ns, out);
  }
  const std::uint32_t end = answer.receiver.next();
  for (std::uint32_t at = before; at < end; ++at) {
    const auto piece = at == before ? payload : std::span<const std::byte>(answer.early[at % PartReceiver::kWindow]);
    if (answer.last == at) return end_answered(answer.end, piece, now_ns, done);
    complete_piece(slots_[header.slot()], answer.about, piece, done);
  }
  write_grant_if_due(exchange, now_ns, out);
}

void ClientEngine::write_grant_if_due(ClientParts::Exchange& exchange, std::uint64_t now_ns, Outbox& out) {
  IncomingAnswer& answer = *exchange.answer;
  if (out.full() || answer.receiver.due_ns(session_.max_ack_delay_ns()) > now_ns) return;
  const auto datagram = out.reserve();
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Grant);
  header.mutate_answers(wire::FrameType::Result);
  header.mutate_boot_id(session_.boot_id());
  header.mutate_session(session_.id().value);
  header.mutate_slot(exchange.slot);
  header.mutate_sequence(slots_[exchange.slot].sequence);
  header.mutate_attempt(answer.about.attempt());
  header.mutate_worker_session(answer.about.worker_session());
  wire::set_token(header, wire::token_of(answer.about));
  out.commit(answer.receiver.write_grant(datagram), session_.shard());
  session_.on_sent(now_ns);
}

void ClientEngine::send_parts_due(std::uint64_t now_ns, Outbox& out) {
  for (ClientParts::Exchange& exchange : parts_.exchanges()) {
    if (out.full()) return;
    if (slots_[exchange.slot].state != SlotState::kInFlight) continue;
    if (exchange.task != nullptr) {
      send_parts(exchange, now_ns, out);
      if (exchange.task->sender.due_ns(session_.pto_ns()) <= now_ns && !out.full())
        write_part(exchange, exchange.task->sender.take_probe(now_ns), true, now_ns, out);
    }
    if (exchange.answer != nullptr) write_grant_if_due(exchange, now_ns, out);
  }
}

std::uint64_t ClientEngine::next_parts_ns() const noexcept {
  std::uint64_t next_ns = kNever;
  for (const ClientParts::Exchange& exchange : parts_.exchanges()) {
    if (slots_[exchange.slot].state != SlotState::kInFlight) continue;
    if (exchange.task != nullptr) next_ns = std::min(next_ns, exchange.task->sender.next_ns(session_.pto_ns()));
    if (exchange.answer != nullptr)
      next_ns = std::min(next_ns, exchange.answer->receiver.due_ns(session_.max_ack_delay_ns()));
  }
  return next_ns;
}

}  // namespace mcplane::client
