// Tasks of a worker session: a ROUTE becomes a running task, that a kept RESULT. What acknowledgements, time and loss
// do to those is in worker_recovery.cc. Not every task begins when it comes: the broker may send ahead of free slots to
// hide the round trip, and who runs the tasks keeps those in order.
#include "client/worker_engine.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/planted_bug.h"
#include "base/prefetch.h"

namespace mcplane::client {

WorkerEngine::WorkerEngine(const wire::Endpoint& broker, const wire::HelloBody& hello, std::uint16_t mtu, Random random,
                           std::size_t kept_bytes_max)
    : session_(broker, hello, mtu, random),
      running_(wire::worker_tasks_max(hello.slots)),
      running_nodes_(running_.capacity()),
      kept_bytes_max_(kept_bytes_max) {}

void WorkerEngine::start(std::uint64_t now_ns, Outbox& out) { session_.start(now_ns, out); }

void WorkerEngine::close(std::uint64_t now_ns, Outbox& out) { session_.close(now_ns, out); }

bool WorkerEngine::ours(const wire::Header& header) const noexcept {
  return header.boot_id() == tasks_boot_ && header.worker_session() == tasks_session_.value && tasks_boot_ != 0;
}

void WorkerEngine::on_datagram(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns,
                               Outbox& out, std::vector<Assignment>& assigned) {
  if (wire::check_datagram(datagram) != DropReason::kNone || !session_.from_broker(from)) {
    ++dropped_;
    return;
  }
  if (session_.on_frame(datagram, now_ns, out)) {
    if (session_.registrations() != registrations_) on_registered();
    return;
  }
  const wire::Header& header = wire::header_of(datagram);
  if (!ours(header)) {
    ++dropped_;
    return;
  }
  switch (header.type()) {
    case wire::FrameType::Route:
      return on_route(datagram, from, now_ns, out, assigned);
    case wire::FrameType::Cancel:
      return on_cancel(header, from, now_ns, out);
    case wire::FrameType::Ack:
      if (header.answers() == wire::FrameType::Result) return on_result_acks(datagram, now_ns);
      break;
    case wire::FrameType::Grant:
      if (header.answers() == wire::FrameType::Result) return on_grant(datagram, now_ns, out);
      break;
    case wire::FrameType::Resend:
      if (header.answers() == wire::FrameType::Result) return on_resend(header, now_ns, out);
      break;
    default:
      break;
  }
  ++dropped_;
}

void WorkerEngine::prefetch(std::span<const std::byte> datagram) const noexcept {
  if (datagram.size() < wire::kLeadBytes) return;
  running_.prefetch(wire::token_of(wire::header_of(datagram)));
  kept_.prefetch();
  if (!table_.empty()) prefetch_to_read(table_.data());
}

// The same session under the same boot id goes on; another one knows nothing of the tasks at hand.
void WorkerEngine::on_registered() {
  registrations_ = session_.registrations();
  resend_.on_news();
  if (session_.id() == tasks_session_ && session_.boot_id() == tasks_boot_) return;
  tasks_session_ = session_.id();
  tasks_boot_ = session_.boot_id();
  result_number_ = 0;
  ++sessions_;
  running_.clear();
  owed_.clear();
  kept_.clear();
  resend_.clear();
  unsent_.clear();
  held_.clear();
  windows_.clear();
  parts_.clear();
}

RouteWindow& WorkerEngine::window_of(TaskToken token) {
  const std::size_t shard = raw(token.shard());
  if (shard >= windows_.size()) windows_.resize(shard + 1);
  return windows_[shard];
}

// A number not seen before needs no look at the tasks at hand: it is none of theirs.
void WorkerEngine::on_route(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns,
                            Outbox& out, std::vector<Assignment>& assigned) {
  const wire::Header& header = wire::header_of(datagram);
  const TaskToken token = wire::token_of(header);
  if (header.sequence() != 0) on_result_acknowledged(header.sequence(), wire::Reason::Ok, now_ns);
  if (header.fragment_index() != 0) [[unlikely]]
    return on_route_part(datagram, now_ns, out, assigned);
  RouteWindow& window = window_of(token);
  const std::uint32_t number = wire::route_number(header);
  if (window.seen(number)) return on_seen_route(header, from, now_ns, out);
  if (session_.state() == SessionState::kClosed) {
    window.mark(number);
    return write_ack(header, wire::Reason::Stopped, from, now_ns, out);
  }
  const wire::RouteView* const route = read_route(wire::table_of(datagram));
  const bool in_parts = wire::is_task_part(header, datagram.size() - wire::kLeadBytes);
  // Without room nothing is said: the broker tries again.
  if (route == nullptr || running_.full() || kept_.bytes() + parts_.answer_bytes >= kept_bytes_max_ ||
      (in_parts && !parts_.has_room(header.message_length()))) {
    ++dropped_;
    return;
  }
  window.mark(number);
  RunningTask& task = *running_.try_insert(header);
  task.from = from;
  task.started_ns = now_ns;
  task.cancelled = task.streams = false;
  task.ack_owed = true;
  owed_.push_back(running_nodes_, running_.record_of(task), now_ns);
  if (in_parts) [[unlikely]]
    return begin_assembly(task, datagram, now_ns, out);
  assign(task, *route, wire::payload_of(datagram), now_ns, assigned);
}

void WorkerEngine::assign(RunningTask& task, const wire::RouteView& route, std::span<const std::byte> payload,
                          std::uint64_t now_ns, std::vector<Assignment>& assigned) {
  const wire::Header& header = task.route;
  const auto waited_ms = static_cast<std::uint32_t>((now_ns - task.started_ns) / kNsPerMs);
  task.started_ns = now_ns;
  Assignment& assignment = assigned.emplace_back();
  assignment.token = wire::token_of(header);
  assignment.attempt = header.attempt();
  assignment.flags = header.flags();
  assignment.ttl_ms = header.ttl_ms() - std::min(header.ttl_ms() - 1, waited_ms);
  const wire::TaskTrace trace = wire::trace_of(header);
  assignment.task_id = trace.task_id;
  assignment.trace = {trace.trace_id, trace.parent, static_cast<std::uint16_t>(header.flags() & wire::kTraceFlags)};
  assignment.sessions = sessions_;
  assignment.route = &route;
  assignment.payload = payload;
}

void WorkerEngine::on_seen_route(const wire::Header& header, const wire::Endpoint& from, std::uint64_t now_ns,
                                 Outbox& out) {
  ++duplicates_;
  const TaskToken token = wire::token_of(header);
  if (RunningTask* const task = running_.find(token, header.attempt())) {
    if (IncomingTask* const incoming = parts_.find_task(running_.record_of(*task))) {
      incoming->receiver.tell();
      return grant_if_due(*incoming, now_ns, out);
    }
    owe_no_ack(*task);
    return write_ack(header, wire::Reason::Ok, from, now_ns, out);
  }
  if (KeptResult* const kept = kept_.find(token, header.attempt())) {
    kept->to = from;
    return send_result_again(*kept, now_ns, out);
  }
  // It is not running and will not.
  write_ack(header, wire::Reason::Stopped, from, now_ns, out);
}

// Most tasks of a worker are of one kind: a table like the last one need not be verified again.
const wire::RouteView* WorkerEngine::read_route(std::span<const std::byte> table) {
  if (route_ && table.size() == table_.size() && std::memcmp(table.data(), table_.data(), table.size()) == 0)
    return &*route_;
  table_.assign(table.begin(), table.end());
  route_ = wire::read_route_table(table_);
  return route_ ? &*route_ : nullptr;
}

// A CANCEL may overtake its ROUTE: what was said to be stopped must not start.
void WorkerEngine::on_cancel(const wire::Header& header, const wire::Endpoint& from, std::uint64_t now_ns,
                             Outbox& out) {
  const TaskToken token = wire::token_of(header);
  if (!planted(PlantedBug::kRunAfterStop)) window_of(token).mark(wire::route_number(header));
  RunningTask* task = running_.find(token, header.attempt());
  if (task != nullptr) {
    owe_no_ack(*task);
    task->cancelled = true;
    const IncomingTask* const incoming = parts_.find_task(running_.record_of(*task));
    // Not all of it has come, so it has not begun.
    if (incoming != nullptr && !incoming->complete()) {
      forget_running(*task);
      share_grants(now_ns);
      task = nullptr;
    }
  }
  if (const OutgoingAnswer* const answer = parts_.find_answer(token, header.attempt())) parts_.erase_answer(*answer);
  if (const KeptResult* const kept = kept_.find(token, header.attempt())) drop_kept(*kept);
  const bool runs = task != nullptr && !(task->streams && planted(PlantedBug::kStopsAtOnce));
  write_ack(header, runs ? wire::Reason::Running : wire::Reason::Stopped, from, now_ns, out);
}

std::span<std::byte> WorkerEngine::answer_place(Outbox& out) const noexcept {
  if (out.full()) return {};
  return out.reserve().subspan(wire::kLeadBytes, session_.datagram_bytes_max() - wire::kLeadBytes);
}

bool WorkerEngine::finish(TaskToken token, std::uint8_t attempt, std::span<const std::byte> answer, bool error,
                          std::uint64_t now_ns, Outbox& out) {
  RunningTask* const task = running_.find(token, attempt);
  if (task == nullptr) return false;
  end_task(*task, error ? wire::Reason::WorkerError : wire::Reason::Ok, answer, now_ns, out);
  ++executed_;
  return true;
}

void WorkerEngine::end_task(RunningTask& task, wire::Reason reason, std::span<const std::byte> answer,
                            std::uint64_t now_ns, Outbox& out) {
  const bool fits = wire::kLeadBytes + answer.size() <= session_.datagram_bytes_max();
  // What no client could read, or would take.
  if (!fits && !wire::read_answer(answer)) {
    reason = wire::Reason::TooLarge;
    answer = {};
  }
  if (task.streams) [[unlikely]] {
    task.cancelled ? say_stopped(task, now_ns, out) : end_in_parts(task, reason, answer, now_ns, out);
  } else if (!fits && !answer.empty()) {
    end_in_parts(task, reason, answer, now_ns, out);
  } else {
    write_whole(task, reason, answer, now_ns, out);
  }
  forget_running(task);
}

// Room for the RESULT of that number, `bytes` long.
KeptResult& WorkerEngine::keep_result(const RunningTask& task, std::uint32_t number, std::size_t bytes) {
  KeptResult& kept = kept_.add(wire::token_of(task.route), task.route.attempt(), number, bytes);
  if (kept_.record_of(kept) >= kept_nodes_.size()) kept_nodes_.grow();
  kept.to = task.from;
  return kept;
}

void WorkerEngine::write_whole(const RunningTask& task, wire::Reason reason, std::span<const std::byte> answer,
                               std::uint64_t now_ns, Outbox& out) {
  const std::size_t bytes = wire::kLeadBytes + answer.size();
  KeptResult& kept = keep_result(task, ++result_number_, bytes);
  if (session_.open() && !out.full()) {
    const auto datagram = out.reserve().first(bytes);
    write_result(task, kept.number, reason, answer, now_ns, datagram);
    out.commit(bytes, kept.to, kept.datagram.keep(datagram));
    list(kept, Listed::kResend, now_ns);
    session_.on_sent(now_ns);
  } else {
    write_result(task, kept.number, reason, answer, now_ns, kept.datagram.mutable_bytes());
    list(kept, Listed::kUnsent, now_ns);
  }
}

// The slot of a stream that was cancelled comes back with the word that it has stopped.
void WorkerEngine::say_stopped(const RunningTask& task, std::uint64_t now_ns, Outbox& out) {
  if (!session_.open()) return;
  wire::Header cancel = task.route;
  cancel.mutate_type(wire::FrameType::Cancel);
  write_ack(cancel, wire::Reason::Stopped, task.from, now_ns, out);
}

void WorkerEngine::forget_running(RunningTask& task) noexcept {
  owe_no_ack(task);
  if (!parts_.tasks.empty()) parts_.erase_task(running_.record_of(task));
  running_.erase(&task);
}

bool WorkerEngine::give_back(TaskToken token, std::uint8_t attempt, std::uint64_t now_ns, Outbox& out) {
  RunningTask* const task = running_.find(token, attempt);
  if (task == nullptr) return false;
  if (session_.open()) write_ack(task->route, wire::Reason::Stopped, task->from, now_ns, out);
  forget_running(*task);
  return true;
}

void WorkerEngine::write_result(const RunningTask& task, std::uint32_t number, wire::Reason reason,
                                std::span<const std::byte> answer, std::uint64_t now_ns,
                                std::span<std::byte> datagram) noexcept {
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Result);
  const wire::Header& route = task.route;
  const std::uint64_t worked_us = (now_ns - task.started_ns) / kNsPerUs;
  header.mutate_reason(reason);
  header.mutate_executed(wire::Executed::Yes);
  header.mutate_attempt(route.attempt());
  header.mutate_boot_id(route.boot_id());
  header.mutate_session(route.session());
  header.mutate_worker_session(route.worker_session());
  wire::set_token(header, wire::token_of(route));
  header.mutate_sequence(number);
  header.mutate_message_length(static_cast<std::uint32_t>(answer.size()));
  header.mutate_worker_us(static_cast<std::uint32_t>(std::min<std::uint64_t>(worked_us, 0xffffffffU)));
  std::memcpy(header.mutable_task_id()->Data(), route.task_id()->Data(), route.task_id()->size());
  std::memcpy(header.mutable_trace_id()->Data(), route.trace_id()->Data(), route.trace_id()->size());
  std::byte* const behind = datagram.data() + wire::kLeadBytes;
  if (!answer.empty() && answer.data() != behind) std::memcpy(behind, answer.data(), answer.size());
}

}  // namespace mcplane::client
