// Answers and outcomes of an AsyncCore: pieces go to the application as they come, or are kept for the outcome. Who
// asked for a text in one piece gets no more than a message may have; what is no answer, or longer, is given up, and
// the broker told.
#include <chrono>
#include <utility>

#include "client/async_core.h"
#include "client/outcome.h"
#include "wire/payload.h"

namespace mcplane::client {

void AsyncCore::settle(std::vector<Completion>& ended, std::uint64_t now) {
  // A callback's submit() and cancel() do not touch done_: the engine completes sends in on_datagram() and on_timer().
  for (const Completion& completion : ended) {
    if (completion.more)
      take_piece(completion, now);
    else
      finish(completion, now);
  }
  ended.clear();
  end_given_up(now);
}

void AsyncCore::note_text(Received& received, std::string_view text, std::uint64_t now) noexcept {
  if (text.empty()) return;
  if (received.chunks++ == 0) received.first_ns = now;
  received.bytes += text.size();
}

void AsyncCore::take_piece(const Completion& piece, std::uint64_t now) {
  Pending* const pending = find(piece.context);
  if (pending == nullptr || pending->received.fault != wire::Reason::Ok) return;
  if (piece.payload.empty()) return;  // a sign of life
  const auto text = wire::read_answer(piece.payload);
  if (!text) return give_up(piece.context, wire::Reason::Malformed);
  note_text(pending->received, *text, now);
  if (!pending->chunk) {
    if (pending->received.bytes > wire::kMessageBytesMax) return give_up(piece.context, wire::Reason::TooLarge);
    pending->received.text += *text;
    return;
  }
  if (text->empty()) return;
  // It may submit more, which moves the places, or cancel this one.
  ChunkCallback chunk = std::move(pending->chunk);
  chunk(*text);
  if (Pending* const still = find(piece.context)) still->chunk = std::move(chunk);
}

void AsyncCore::give_up(std::uint64_t context, wire::Reason fault) {
  find(context)->received.fault = fault;
  given_up_.push_back(context);
}

void AsyncCore::end_given_up(std::uint64_t now) {
  while (!given_up_.empty()) {
    const std::uint64_t context = given_up_.back();
    given_up_.pop_back();
    if (outbox_.full()) flush();
    std::vector<Completion> ended;  // none when its end came with its last piece
    engine_.cancel(context, now, outbox_, ended);
    for (const Completion& completion : ended) finish(completion, now);
  }
}

// Names the trace, and tells of the span if it is worth it.
void AsyncCore::tell(Pending& pending, Outcome& outcome, std::uint64_t now) {
  outcome.trace_id = wire::hex(pending.trace.own.trace_id);
  const std::uint64_t taken_ns = now - pending.submitted_ns;
  if (is_told(trace_, pending.trace, outcome.ok(), taken_ns))
    trace_.on_span(send_span(pending.trace, outcome, pending.action, session().id().value, taken_ns));
}

// The place is free before a callback is called: it may submit more.
void AsyncCore::finish(const Completion& last, std::uint64_t now) {
  if (!last.delivered && last.executed == wire::Executed::No && Throttle::applies_to(last.reason))
    throttle_.on_refused(last.retry_after_ms * kNsPerMs, now);
  Pending pending = free_place(static_cast<std::uint32_t>(last.context));
  Received& received = pending.received;
  Outcome outcome = outcome_of(last, std::move(pending.task_id), pending.submitted_ns, now);
  note_text(received, outcome.text, now);
  if (!pending.chunk && received.bytes > wire::kMessageBytesMax) received.fault = wire::Reason::TooLarge;
  if (received.fault != wire::Reason::Ok) {
    outcome.kind = OutcomeKind::kWorkerError;
    outcome.executed = Executed::kYes;
    outcome.reason = reason_word(received.fault);
  }
  if (last.sampled) pending.trace.own.flags |= raw(wire::Flag::Sampled);
  tell(pending, outcome, now);
  if (pending.chunk && outcome.ok()) {
    if (!outcome.text.empty()) pending.chunk(outcome.text);
    outcome.text.clear();
  } else if (!received.text.empty()) {
    outcome.text = std::move(received.text.append(outcome.text));
  }
  outcome.received = received.bytes;
  outcome.chunks = received.chunks;
  if (received.chunks > 0)
    outcome.timing.first_chunk = std::chrono::microseconds((received.first_ns - pending.submitted_ns) / kNsPerUs);
  if (pending.done) pending.done(std::move(outcome));
}

}  // namespace mcplane::client
