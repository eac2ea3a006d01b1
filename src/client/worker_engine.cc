// Tasks of a worker session. A ROUTE is run once: running ones are found in RunningTasks, finished ones in ResultCache.
// Room for tasks is the advertised slots twice, since the broker may send ahead of free slots to hide the round trip.
#include "client/worker_engine.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/prefetch.h"

namespace mcplane::client {

namespace {

constexpr std::size_t kTasksAhead = 16;

constexpr std::size_t tasks_max(std::uint16_t slots) noexcept { return 2 * std::size_t{slots} + kTasksAhead; }

}  // namespace

WorkerEngine::WorkerEngine(const wire::Endpoint& broker, const wire::HelloBody& hello, std::uint16_t mtu, Random random)
    : session_(broker, hello, mtu, random),
      running_(tasks_max(hello.slots)),
      results_(tasks_max(hello.slots), mtu),
      spare_(2 + mtu) {
  table_.reserve(wire::kTableBytesMax);
}

void WorkerEngine::start(std::uint64_t now_ns, Outbox& out) { session_.start(now_ns, out); }

void WorkerEngine::on_timer(std::uint64_t now_ns, Outbox& out) { session_.on_timer(now_ns, out); }

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
  const bool was_session = session_.on_frame(datagram, now_ns, out);
  if (session_.registrations() != registrations_) on_registered();
  if (was_session) return;
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
      if (header.answers() == wire::FrameType::Result) return results_.drop(wire::token_of(header), header.attempt());
      break;
    default:
      break;
  }
  ++dropped_;
}

void WorkerEngine::prefetch(std::span<const std::byte> datagram) const noexcept {
  if (datagram.size() < wire::kLeadBytes) return;
  const TaskToken token = wire::token_of(wire::header_of(datagram));
  running_.prefetch(token);
  results_.prefetch(token, datagram.size());
  prefetch_to_read(table_.data());
}

// The same session under the same boot id goes on; another one knows nothing of the tasks at hand.
void WorkerEngine::on_registered() {
  registrations_ = session_.registrations();
  if (session_.id() == tasks_session_ && session_.boot_id() == tasks_boot_) return;
  tasks_session_ = session_.id();
  tasks_boot_ = session_.boot_id();
  running_.clear();
  results_.clear();
}

void WorkerEngine::on_route(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns,
                            Outbox& out, std::vector<Assignment>& assigned) {
  const wire::Header& header = wire::header_of(datagram);
  const TaskToken token = wire::token_of(header);
  const std::uint8_t attempt = header.attempt();
  if (running_.find(token, attempt) != nullptr) {
    ++duplicates_;
    return;
  }
  if (results_.finished(token, attempt)) {
    ++duplicates_;
    const auto result = results_.find(token, attempt);
    if (result.empty() || out.full()) return;
    std::memcpy(out.reserve().data(), result.data(), result.size());
    out.commit(result.size(), from);
    session_.on_sent(now_ns);
    return;
  }
  const wire::RouteView* const route = read_route(wire::table_of(datagram));
  RunningTask* task =
      route != nullptr && session_.state() != SessionState::kClosed ? running_.try_insert(header) : nullptr;
  if (task == nullptr) {
    ++dropped_;
    return;
  }
  task->from = from;
  task->started_ns = now_ns;
  Assignment& assignment = assigned.emplace_back();
  assignment.token = token;
  assignment.attempt = attempt;
  assignment.flags = header.flags();
  assignment.ttl_ms = header.ttl_ms();
  assignment.task_id = wire::task_id_of(header);
  assignment.route = route;
  assignment.payload = wire::payload_of(datagram);
}

// Most tasks of a worker are of one kind: a table like the last one need not be verified again.
const wire::RouteView* WorkerEngine::read_route(std::span<const std::byte> table) {
  if (route_ && table.size() == table_.size() && std::memcmp(table.data(), table_.data(), table.size()) == 0)
    return &*route_;
  table_.assign(table.begin(), table.end());
  route_ = wire::read_route_table(table_);
  return route_ ? &*route_ : nullptr;
}

void WorkerEngine::on_cancel(const wire::Header& header, const wire::Endpoint& from, std::uint64_t now_ns,
                             Outbox& out) {
  const TaskToken token = wire::token_of(header);
  const bool running = running_.find(token, header.attempt()) != nullptr;
  // A CANCEL may overtake its ROUTE: what was said to be stopped must not start.
  if (!running && header.attempt() != 0) results_.mark_finished(token, header.attempt());
  if (out.full()) return;  // the broker repeats it
  wire::Header& ack = wire::begin_datagram(out.reserve(), wire::FrameType::Ack);
  ack.mutate_answers(wire::FrameType::Cancel);
  ack.mutate_reason(running ? wire::Reason::Running : wire::Reason::Stopped);
  ack.mutate_attempt(header.attempt());
  ack.mutate_boot_id(header.boot_id());
  ack.mutate_session(header.session());
  ack.mutate_worker_session(header.worker_session());
  wire::set_token(ack, token);
  out.commit(wire::kLeadBytes, from);
  session_.on_sent(now_ns);
}

bool WorkerEngine::finish(TaskToken token, std::uint8_t attempt, std::span<const std::byte> answer, bool error,
                          std::uint64_t now_ns, Outbox& out) {
  RunningTask* task = running_.find(token, attempt);
  if (task == nullptr) return false;
  auto reason = error ? wire::Reason::WorkerError : wire::Reason::Ok;
  if (wire::kLeadBytes + answer.size() > session_.datagram_bytes_max()) {
    reason = wire::Reason::TooLarge;
    answer = {};
  }
  const bool room = !out.full();
  const auto result =
      write_result(*task, reason, answer, now_ns, room ? out.reserve() : std::span<std::byte>(spare_).subspan(2));
  results_.keep(token, attempt, result);
  results_.mark_finished(token, attempt);
  if (room) out.commit(result.size(), task->from);
  running_.erase(task);
  session_.on_sent(now_ns);
  ++executed_;
  return true;
}

std::span<const std::byte> WorkerEngine::write_result(const RunningTask& task, wire::Reason reason,
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
  header.mutate_sequence(++result_number_);
  header.mutate_message_length(static_cast<std::uint32_t>(answer.size()));
  header.mutate_worker_us(static_cast<std::uint32_t>(std::min<std::uint64_t>(worked_us, 0xffffffffU)));
  std::memcpy(header.mutable_task_id()->Data(), route.task_id()->Data(), route.task_id()->size());
  std::memcpy(header.mutable_trace_id()->Data(), route.trace_id()->Data(), route.trace_id()->size());
  if (!answer.empty()) std::memcpy(datagram.data() + wire::kLeadBytes, answer.data(), answer.size());
  return datagram.first(wire::kLeadBytes + answer.size());
}

}  // namespace mcplane::client
