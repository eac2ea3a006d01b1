// What a WorkerEngine does with acknowledgements, by time and when asked again: RESULTs sent again and let go, ROUTEs
// acknowledged. See worker_engine.h.
#include <cstring>

#include "base/planted_bug.h"
#include "client/worker_engine.h"
#include "wire/ack.h"

namespace mcplane::client {

namespace {

// The broker has it, and asks when it needs it again; this is for the case that its last word was lost.
constexpr std::uint64_t kHeldRepeatNs = kNsPerSecond;

}  // namespace

void WorkerEngine::on_timer(std::uint64_t now_ns, Outbox& out) {
  session_.on_timer(now_ns, out);
  if (!session_.open()) return;
  send_what_is_due(now_ns, out);
  send_parts_due(now_ns, out);
  if (now_ns >= next_ack_ns()) write_route_acks(now_ns, out);
}

std::uint64_t WorkerEngine::next_held_ns() const noexcept { return held_.due_ns(kept_nodes_, kHeldRepeatNs); }

std::uint64_t WorkerEngine::next_ack_ns() const noexcept {
  return owed_.due_ns(running_nodes_, session_.max_ack_delay_ns());
}

void WorkerEngine::on_result_acks(std::span<const std::byte> datagram, std::uint64_t now_ns) {
  const wire::Header& header = wire::header_of(datagram);
  on_result_acknowledged(header.sequence(), header.reason(), now_ns);
  for (const wire::AckEntry& entry : wire::ack_entries(datagram))
    if (entry.number() <= raw(wire::Reason::MAX))
      on_result_acknowledged(entry.name(), static_cast<wire::Reason>(entry.number()), now_ns);
}

void WorkerEngine::on_result_acknowledged(std::uint32_t number, wire::Reason reason, std::uint64_t now_ns) {
  if (!parts_.answers.empty() && reason != wire::Reason::Held) forget_answer(number);
  KeptResult* const kept = kept_.find(number);
  if (kept == nullptr) return;
  if (reason == wire::Reason::Ok || reason == wire::Reason::Discard || planted(PlantedBug::kDropHeld)) {
    resend_.on_news();
    drop_kept(*kept);
  } else if (reason == wire::Reason::Held) {
    resend_.on_news();
    unlist(*kept);
    list(*kept, Listed::kHeld, now_ns);
  }
}

void WorkerEngine::on_resend(const wire::Header& header, std::uint64_t now_ns, Outbox& out) {
  KeptResult* const kept = kept_.find(wire::token_of(header), header.attempt());
  if (kept == nullptr) return;
  resend_.on_news();
  if (const OutgoingAnswer* const answer = parts_.find_answer(kept->number)) {
    if (!out.full()) send_answer_part(*answer, answer->sender.made() - 1, true, now_ns, out);
    return;
  }
  send_result_again(*kept, now_ns, out);
}

void WorkerEngine::send_result_again(KeptResult& kept, std::uint64_t now_ns, Outbox& out) {
  if (out.full()) return;  // the broker asks again
  unlist(kept);
  transmit(kept, true, now_ns, out);
}

void WorkerEngine::send_what_is_due(std::uint64_t now_ns, Outbox& out) {
  while (!out.full() && !unsent_.empty()) {
    KeptResult& kept = kept_.at(unsent_.first());
    unlist(kept);
    transmit(kept, false, now_ns, out);
  }
  while (!out.full()) {
    const std::uint32_t record = resend_.take_due(kept_nodes_, now_ns, session_.pto_ns());
    if (record == ResendQueue::kNone) break;
    kept_.at(record).listed = Listed::kNowhere;
    transmit(kept_.at(record), true, now_ns, out);
  }
  while (!out.full() && next_held_ns() <= now_ns) {
    KeptResult& kept = kept_.at(held_.first());
    unlist(kept);
    transmit(kept, true, now_ns, out);
    unlist(kept);
    list(kept, Listed::kHeld, now_ns);
  }
}

void WorkerEngine::transmit(KeptResult& kept, bool again, std::uint64_t now_ns, Outbox& out) {
  const auto bytes = kept.datagram.bytes();
  const auto datagram = out.reserve();
  std::memcpy(datagram.data(), bytes.data(), bytes.size());
  if (again) {
    ++retransmissions_;
    wire::Header& header = wire::header_of(datagram);
    header.mutate_flags(static_cast<std::uint16_t>(header.flags() | raw(wire::Flag::Retry)));
  }
  out.commit(bytes.size(), kept.to);
  list(kept, Listed::kResend, now_ns);
  session_.on_sent(now_ns);
}

namespace {

// `session` names no client here, and may not be 0.
wire::Header& begin_ack(std::span<std::byte> datagram, const wire::Header& of, wire::FrameType answers) noexcept {
  wire::Header& ack = wire::begin_datagram(datagram, wire::FrameType::Ack);
  ack.mutate_answers(answers);
  ack.mutate_attempt(of.attempt());
  ack.mutate_boot_id(of.boot_id());
  ack.mutate_session(of.worker_session());
  ack.mutate_worker_session(of.worker_session());
  wire::set_token(ack, wire::token_of(of));
  return ack;
}

}  // namespace

// Of one ROUTE or CANCEL, at once. With a full outbox it is left out: the broker repeats what it asked.
void WorkerEngine::write_ack(const wire::Header& of, wire::Reason reason, const wire::Endpoint& to,
                             std::uint64_t now_ns, Outbox& out) {
  if (out.full()) return;
  begin_ack(out.reserve(), of, of.type()).mutate_reason(reason);
  out.commit(wire::kLeadBytes, to);
  session_.on_sent(now_ns);
  ++acks_sent_;
}

// One frame a shard. Since it goes out anyway, it acknowledges what is not due yet as well.
void WorkerEngine::write_route_acks(std::uint64_t now_ns, Outbox& out) {
  const std::size_t entries_max = wire::ack_entries_max(session_.datagram_bytes_max());
  while (!out.full() && !owed_.empty()) {
    RunningTask& first = running_.at(owed_.first());
    std::uint32_t record = TimedList::next(running_nodes_, owed_.first());
    owe_no_ack(first);
    const auto datagram = out.reserve();
    begin_ack(datagram, first.route, wire::FrameType::Route);
    std::size_t length = wire::kLeadBytes;
    for (std::size_t entries = 0; record != TimedList::kNone && entries < entries_max;) {
      RunningTask& task = running_.at(record);
      record = TimedList::next(running_nodes_, record);
      if (task.from != first.from) continue;
      owe_no_ack(task);
      length = wire::append_ack_entry(datagram, length, task.route.token_index(), task.route.token_generation());
      ++entries;
    }
    out.commit(length, first.from);
    session_.on_sent(now_ns);
    ++acks_sent_;
  }
}

void WorkerEngine::owe_no_ack(RunningTask& task) noexcept {
  if (!task.ack_owed) return;
  task.ack_owed = false;
  owed_.erase(running_nodes_, running_.record_of(task));
}

void WorkerEngine::drop_kept(const KeptResult& kept) noexcept {
  unlist(kept_.at(kept_.record_of(kept)));
  kept_.erase(kept);
}

void WorkerEngine::list(KeptResult& kept, Listed where, std::uint64_t now_ns) noexcept {
  kept.listed = where;
  const std::uint32_t record = kept_.record_of(kept);
  if (where == Listed::kResend) return resend_.push(kept_nodes_, record, now_ns);
  (where == Listed::kHeld ? held_ : unsent_).push_back(kept_nodes_, record, now_ns);
}

void WorkerEngine::unlist(KeptResult& kept) noexcept {
  const std::uint32_t record = kept_.record_of(kept);
  if (kept.listed == Listed::kResend) resend_.erase(kept_nodes_, record);
  if (kept.listed == Listed::kHeld) held_.erase(kept_nodes_, record);
  if (kept.listed == Listed::kUnsent) unsent_.erase(kept_nodes_, record);
  kept.listed = Listed::kNowhere;
}

}  // namespace mcplane::client
