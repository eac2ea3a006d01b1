// Answers in parts, streams among them, as a WorkerEngine gives them; see worker_parts.h.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

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
  KeptResult& kept = keep_result(task, outgoing->number, wire::kLeadBytes + last.size());
  write_answer_part(*outgoing, outgoing->sender.made() - 1, false, kept.datagram.mutable_bytes());
  send_answer_parts(*outgoing, now_ns, out);
}

void WorkerEngine::send_answer_parts(OutgoingAnswer& answer, std::uint64_t now_ns, Outbox& out) {
  if (!session_.open()) return;
  answer.sender.send(
      now_ns, [&out] { return !out.full(); },
      [&](std::uint32_t part, bool again) { send_answer_part(answer, part, again, now_ns, out); });
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

// Its client may take another piece, and nothing says yet that it was the last.
bool WorkerEngine::wants_sign_of_life(const OutgoingAnswer& answer) noexcept {
  return answer.stream && !answer.closed && answer.unacknowledged() < kEmittedMax;
}

void WorkerEngine::send_answer_due(OutgoingAnswer& answer, std::uint64_t now_ns, Outbox& out) {
  if (wants_sign_of_life(answer) && answer.emitted_ns + kProgressNs <= now_ns) {
    answer.emitted_ns = now_ns;
    add_piece(parts_, answer, {});
  }
  send_answer_parts(answer, now_ns, out);
  if (answer.sender.due_ns(session_.pto_ns()) <= now_ns && !out.full())
    send_answer_part(answer, answer.sender.take_probe(now_ns), true, now_ns, out);
}

std::uint64_t WorkerEngine::next_answer_ns(const OutgoingAnswer& answer) const noexcept {
  const std::uint64_t send_ns = answer.sender.next_ns(session_.pto_ns());
  return wants_sign_of_life(answer) ? std::min(send_ns, answer.emitted_ns + kProgressNs) : send_ns;
}

}  // namespace mcplane::client
