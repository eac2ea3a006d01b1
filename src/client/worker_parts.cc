// Messages in parts at a worker: the tables of worker_parts.h, and what a WorkerEngine does with them.
#include "client/worker_parts.h"

#include <algorithm>
#include <cstring>

#include "base/planted_bug.h"
#include "client/worker_engine.h"

namespace mcplane::client {
namespace {

// A stream that says nothing for so long gives a sign of life.
constexpr std::uint64_t kProgressNs = kNsPerSecond;
// Made and not acknowledged: beyond, whoever makes them waits.
constexpr std::uint32_t kEmittedMax = 64;

void add_piece(WorkerParts& parts, OutgoingAnswer& answer, std::vector<std::byte> payload) {
  parts.answer_bytes += payload.size();
  answer.pieces.push_back(std::move(payload));
  answer.sender.add(1);
}

}  // namespace

bool WorkerParts::has_room(std::size_t message_bytes) const noexcept {
  const auto coming = std::ranges::count_if(tasks, [](const auto& task) { return !task->complete(); });
  return static_cast<std::size_t>(coming) < kTasksMax && task_bytes + message_bytes <= kBytesMax;
}

IncomingTask* WorkerParts::find_task(std::uint32_t record) noexcept {
  const auto found = std::ranges::find_if(tasks, [record](const auto& task) { return task->record == record; });
  return found == tasks.end() ? nullptr : found->get();
}

OutgoingAnswer* WorkerParts::find_answer(TaskToken token, std::uint8_t attempt) noexcept {
  const auto found = std::ranges::find_if(
      answers, [&](const auto& answer) { return answer->token == token && answer->attempt == attempt; });
  return found == answers.end() ? nullptr : found->get();
}

OutgoingAnswer* WorkerParts::find_answer(std::uint32_t number) noexcept {
  const auto found = std::ranges::find_if(answers, [number](const auto& answer) { return answer->number == number; });
  return found == answers.end() ? nullptr : found->get();
}

void WorkerParts::erase_task(std::uint32_t record) noexcept {
  std::erase_if(tasks, [&](const auto& task) {
    if (task->record != record) return false;
    task_bytes -= task->message.size();
    return true;
  });
}

void WorkerParts::erase_answer(const OutgoingAnswer& answer) noexcept {
  for (const auto& piece : answer.pieces) answer_bytes -= piece.size();
  std::erase_if(answers, [&](const auto& other) { return other.get() == &answer; });
}

void WorkerParts::clear() noexcept {
  tasks.clear();
  answers.clear();
  task_bytes = answer_bytes = 0;
}

// Its part 0 has come, and is running as far as the broker is concerned.
void WorkerEngine::begin_assembly(RunningTask& task, std::span<const std::byte> datagram, std::uint64_t now_ns,
                                  Outbox& out) {
  const wire::Header& header = wire::header_of(datagram);
  const auto behind = datagram.subspan(wire::kLeadBytes);
  IncomingTask& incoming = *parts_.tasks.emplace_back(std::make_unique<IncomingTask>());
  incoming.record = running_.record_of(task);
  incoming.message_bytes = header.message_length();
  incoming.part_bytes = behind.size();
  incoming.message.resize(incoming.message_bytes);
  parts_.task_bytes += incoming.message_bytes;
  std::memcpy(incoming.message.data(), behind.data(), behind.size());
  incoming.receiver.on_part(0, now_ns);
  share_grants();
  grant_if_due(incoming, now_ns, out);
}

// Those that lack least first, and few at once.
void WorkerEngine::share_grants() noexcept {
  const auto waits = [](const auto& task) { return !task->complete() && !task->receiver.is_open(); };
  auto granted = std::ranges::count_if(parts_.tasks,
                                       [](const auto& task) { return !task->complete() && task->receiver.is_open(); });
  for (; granted < static_cast<std::ptrdiff_t>(WorkerParts::kGrantedAtOnce); ++granted) {
    IncomingTask* least = nullptr;
    for (const auto& task : parts_.tasks)
      if (waits(task) && (least == nullptr || task->bytes_missing() < least->bytes_missing())) least = task.get();
    if (least == nullptr) return;
    least->receiver.open();
    least->receiver.tell();
  }
}

void WorkerEngine::on_route_part(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out,
                                 std::vector<Assignment>& assigned) {
  const wire::Header& header = wire::header_of(datagram);
  RunningTask* const task = running_.find(wire::token_of(header), header.attempt());
  IncomingTask* const incoming = task != nullptr ? parts_.find_task(running_.record_of(*task)) : nullptr;
  if (incoming == nullptr) {
    ++dropped_;
    return;
  }
  const auto bytes = datagram.subspan(wire::kLeadBytes);
  const std::size_t at = header.fragment_index() * incoming->part_bytes;
  const bool agrees = header.message_length() == incoming->message_bytes && at < incoming->message_bytes &&
                      bytes.size() == std::min(incoming->part_bytes, incoming->message_bytes - at);
  if (!agrees) {
    if (!incoming->complete()) end_task(*task, wire::Reason::Malformed, {}, now_ns, out);
    return;
  }
  const PartReceiver::Part part = incoming->receiver.on_part(header.fragment_index(), now_ns);
  if (part.arrival != PartReceiver::Arrival::kNew) {
    ++(part.arrival == PartReceiver::Arrival::kAgain ? duplicates_ : dropped_);
    return grant_if_due(*incoming, now_ns, out);
  }
  std::memcpy(incoming->message.data() + at, bytes.data(), bytes.size());
  if (incoming->complete()) incoming->receiver.tell();
  grant_if_due(*incoming, now_ns, out);
  if (incoming->complete()) assign_complete(*task, *incoming, now_ns, assigned);
}

void WorkerEngine::assign_complete(RunningTask& task, IncomingTask& incoming, std::uint64_t now_ns,
                                   std::vector<Assignment>& assigned) {
  parts_.task_bytes -= incoming.message.size();
  parts_.assigned = std::move(incoming.message);
  incoming.message.clear();
  if (!planted(PlantedBug::kGrantNoMore)) share_grants();
  const std::span<const std::byte> message = parts_.assigned;
  const std::size_t table = task.route.table_length();
  // It was read when part 0 came.
  assign(task, *read_route(message.first(table)), message.subspan(table), now_ns, assigned);
}

void WorkerEngine::grant_if_due(IncomingTask& incoming, std::uint64_t now_ns, Outbox& out) {
  if (out.full() || incoming.receiver.due_ns(session_.max_ack_delay_ns()) > now_ns) return;
  RunningTask& task = running_.at(incoming.record);
  const auto datagram = out.reserve();
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Grant);
  header.mutate_answers(wire::FrameType::Send);
  header.mutate_attempt(task.route.attempt());
  header.mutate_boot_id(task.route.boot_id());
  header.mutate_session(task.route.session());
  header.mutate_worker_session(task.route.worker_session());
  wire::set_token(header, wire::token_of(task.route));
  out.commit(incoming.receiver.write_grant(datagram), task.from);
  owe_no_ack(task);
  session_.on_sent(now_ns);
}

OutgoingAnswer& WorkerEngine::begin_answer(const RunningTask& task, std::uint64_t now_ns) {
  OutgoingAnswer& answer = *parts_.answers.emplace_back(std::make_unique<OutgoingAnswer>());
  answer.token = wire::token_of(task.route);
  answer.attempt = task.route.attempt();
  answer.number = ++result_number_;
  answer.to = task.from;
  alignas(wire::Header) std::array<std::byte, 2 + wire::kLeadBytes> lead;
  const auto datagram = std::span(lead).subspan<2>();
  write_result(task, answer.number, wire::Reason::Ok, {}, now_ns, datagram);
  answer.header = wire::header_of(std::span<std::byte>(datagram));
  return answer;
}

// In as many pieces as it takes, and one at least.
void WorkerEngine::add_text(OutgoingAnswer& answer, std::string_view text, std::uint64_t now_ns) {
  answer.emitted_ns = now_ns;
  const std::size_t room = session_.datagram_bytes_max() - wire::kLeadBytes - wire::kAnswerBytesAround;
  do {
    add_piece(parts_, answer, wire::write_answer(text.substr(0, room)));
    text.remove_prefix(std::min(room, text.size()));
  } while (!text.empty());
}

bool WorkerEngine::emit(TaskToken token, std::uint8_t attempt, std::string_view text, std::uint64_t now_ns,
                        Outbox& out) {
  RunningTask* const task = running_.find(token, attempt);
  if (task == nullptr || task->cancelled) return false;
  OutgoingAnswer* answer = parts_.find_answer(token, attempt);
  if (answer == nullptr) {
    answer = &begin_answer(*task, now_ns);
    answer->stream = task->streams = true;
    owe_no_ack(*task);  // a part says that the ROUTE came
  }
  add_text(*answer, text, now_ns);
  send_answer_parts(*answer, now_ns, out);
  return true;
}

std::size_t WorkerEngine::emit_room(TaskToken token, std::uint8_t attempt) noexcept {
  const OutgoingAnswer* const answer = parts_.find_answer(token, attempt);
  if (answer == nullptr) return kEmittedMax;
  const std::size_t open = answer->unacknowledged();
  return open < kEmittedMax ? kEmittedMax - open : 0;
}

bool WorkerEngine::cancelled(TaskToken token, std::uint8_t attempt) noexcept {
  const RunningTask* const task = running_.find(token, attempt);
  return task == nullptr || task->cancelled;
}

// The answer is more than a frame, or the last of a stream.
void WorkerEngine::end_in_parts(const RunningTask& task, wire::Reason reason, std::span<const std::byte> answer,
                                std::uint64_t now_ns, Outbox& out) {
  const TaskToken token = wire::token_of(task.route);
  OutgoingAnswer* outgoing = parts_.find_answer(token, task.route.attempt());
  if (outgoing == nullptr) outgoing = &begin_answer(task, now_ns);
  const auto text = wire::read_answer(answer);
  add_text(*outgoing, text.value_or(std::string_view{}), now_ns);
  outgoing->closed = true;
  outgoing->reason = text || reason != wire::Reason::Ok ? reason : wire::Reason::WorkerError;
  const auto& last = outgoing->pieces.back();
  // Kept until the broker needs the answer no more; what is sent again until then, its parts' sender says.
  KeptResult& kept = kept_.add(token, task.route.attempt(), outgoing->number, wire::kLeadBytes + last.size());
  if (kept_.record_of(kept) >= kept_nodes_.size()) kept_nodes_.grow();
  kept.to = outgoing->to;
  write_answer_part(*outgoing, outgoing->sender.made() - 1, false, kept.datagram.mutable_bytes());
  send_answer_parts(*outgoing, now_ns, out);
}

void WorkerEngine::send_answer_parts(OutgoingAnswer& answer, std::uint64_t now_ns, Outbox& out) {
  if (!session_.open()) return;
  while (!out.full()) {
    const bool again = answer.sender.has_lost();
    const std::uint32_t part = answer.sender.take_next(now_ns);
    if (part == PartSender::kNone) return;
    send_answer_part(answer, part, again, now_ns, out);
  }
}

void WorkerEngine::send_answer_part(const OutgoingAnswer& answer, std::uint32_t part, bool again, std::uint64_t now_ns,
                                    Outbox& out) {
  if (again) ++retransmissions_;
  out.commit(write_answer_part(answer, part, again, out.reserve()), answer.to);
  session_.on_sent(now_ns);
}

std::size_t WorkerEngine::write_answer_part(const OutgoingAnswer& answer, std::uint32_t part, bool again,
                                            std::span<std::byte> datagram) const noexcept {
  const auto& piece = answer.pieces[part - answer.first];
  const bool last = answer.closed && part + 1 == answer.sender.made();
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Result);
  header = answer.header;
  header.mutate_flags(
      static_cast<std::uint16_t>((last ? 0U : raw(wire::Flag::More)) | (again ? raw(wire::Flag::Retry) : 0U)));
  header.mutate_reason(last ? answer.reason : wire::Reason::Ok);
  header.mutate_fragment_index(static_cast<std::uint16_t>(part));
  header.mutate_message_length(static_cast<std::uint32_t>(piece.size()));
  if (!piece.empty()) std::memcpy(datagram.data() + wire::kLeadBytes, piece.data(), piece.size());
  return wire::kLeadBytes + piece.size();
}

// Nobody needs it any more: if it is still being given, whoever gives it learns so.
void WorkerEngine::forget_answer(std::uint32_t number) noexcept {
  const OutgoingAnswer* const answer = parts_.find_answer(number);
  if (answer == nullptr) return;
  if (RunningTask* const task = running_.find(answer->token, answer->attempt)) task->cancelled = true;
  parts_.erase_answer(*answer);
}

void WorkerEngine::on_grant(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out) {
  const wire::Header& header = wire::header_of(datagram);
  OutgoingAnswer* const answer = parts_.find_answer(wire::token_of(header), header.attempt());
  if (answer == nullptr) return;  // all of it was acknowledged before
  PartSender& sender = answer->sender;
  if (!sender.on_grant(wire::grant_next(header), wire::grant_limit(header), wire::payload_of(datagram), now_ns,
                       session_.pto_ns()))
    return;
  // The last one stays: it is sent again while the client's limit holds up those behind it.
  for (; answer->first + 1 < sender.acknowledged(); ++answer->first) {
    parts_.answer_bytes -= answer->pieces.front().size();
    answer->pieces.pop_front();
  }
  if (!answer->closed || !sender.all_acknowledged()) return send_answer_parts(*answer, now_ns, out);
  // The client has it all; the broker's word for that may have been lost.
  KeptResult* const kept = kept_.find(answer->number);
  if (kept != nullptr && kept->listed == Listed::kNowhere) list(*kept, Listed::kHeld, now_ns);
  parts_.erase_answer(*answer);
}

void WorkerEngine::send_parts_due(std::uint64_t now_ns, Outbox& out) {
  for (const auto& task : parts_.tasks) grant_if_due(*task, now_ns, out);
  for (const auto& answer : parts_.answers) {
    if (answer->stream && !answer->closed && answer->emitted_ns + kProgressNs <= now_ns &&
        answer->unacknowledged() < kEmittedMax) {
      answer->emitted_ns = now_ns;
      add_piece(parts_, *answer, {});
    }
    send_answer_parts(*answer, now_ns, out);
    if (answer->sender.due_ns(session_.pto_ns()) <= now_ns && !out.full())
      send_answer_part(*answer, answer->sender.take_probe(now_ns), true, now_ns, out);
  }
}

std::uint64_t WorkerEngine::next_parts_ns() const noexcept {
  std::uint64_t next_ns = PartSender::kNever;
  for (const auto& task : parts_.tasks) next_ns = std::min(next_ns, task->receiver.due_ns(session_.max_ack_delay_ns()));
  for (const auto& answer : parts_.answers) {
    next_ns = std::min(next_ns, answer->sender.has_next() ? 0 : answer->sender.due_ns(session_.pto_ns()));
    if (answer->stream && !answer->closed && answer->unacknowledged() < kEmittedMax)
      next_ns = std::min(next_ns, answer->emitted_ns + kProgressNs);
  }
  return next_ns;
}

}  // namespace mcplane::client
