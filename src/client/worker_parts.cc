// Messages in parts at a worker: the tables of worker_parts.h, and what a WorkerEngine does with tasks that come in
// parts. Answers that leave so are in worker_answers.cc.
#include "client/worker_parts.h"

#include <algorithm>
#include <cstring>

#include "base/planted_bug.h"
#include "client/worker_engine.h"

namespace mcplane::client {
namespace {

// Of a task's share when many that were silent come back at once: three parts behind a lost one show it.
constexpr std::uint32_t kWindowMin = 4;

// Most parts come in order, and are written once: what none has come for yet is not there.
void store(std::vector<std::byte>& message, std::size_t at, std::span<const std::byte> part) {
  if (at < message.size()) {
    std::memcpy(message.data() + at, part.data(), part.size());
    return;
  }
  message.resize(at);
  message.insert(message.end(), part.begin(), part.end());
}

}  // namespace

void IncomingTask::expect_parts(std::uint64_t now_ns) noexcept {
  asked = 0;
  ask_ns = complete() ? PartReceiver::kNever : now_ns + WorkerParts::kQuietNs;
}

void IncomingTask::ask_again(std::uint64_t now_ns) noexcept {
  ++asked;
  ask_ns = now_ns + wire::backed_off(WorkerParts::kQuietNs, std::min(asked, WorkerParts::kQuietDoublingsMax));
  receiver.tell();
}

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
    if (!task->complete()) task_bytes -= task->message_bytes;
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
  incoming.message.assign(behind.begin(), behind.end());
  parts_.task_bytes += incoming.message_bytes;
  incoming.receiver.on_part(0, now_ns);
  share_grants(now_ns);
  grant_if_due(incoming, now_ns, out);
}

// Those that lack least first, and few at once, which share a window: who sends something short on the same path waits
// behind what is granted. What was granted before is not taken back, so that for a window's time there may be more.
void WorkerEngine::share_grants(std::uint64_t now_ns) {
  const auto waits = [](const auto& task) { return !task->complete() && !task->receiver.is_open(); };
  auto granted =
      static_cast<std::uint32_t>(std::ranges::count_if(parts_.tasks, [](const auto& task) { return task->flows(); }));
  for (; granted < WorkerParts::kGrantedAtOnce; ++granted) {
    IncomingTask* least = nullptr;
    for (const auto& task : parts_.tasks)
      if (waits(task) && (least == nullptr || task->bytes_missing() < least->bytes_missing())) least = task.get();
    if (least == nullptr) break;
    // Room for all of it only now: many may wait.
    least->message.reserve(least->message_bytes);
    least->receiver.open();
    least->receiver.tell();
    least->expect_parts(now_ns);
  }
  for (const auto& task : parts_.tasks)
    if (task->flows()) task->receiver.open(std::max(PartReceiver::kWindow / granted, kWindowMin));
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
    if (incoming->complete()) return;
    end_task(*task, wire::Reason::Malformed, {}, now_ns, out);
    return share_grants(now_ns);
  }
  const PartReceiver::Part part = incoming->receiver.on_part(header.fragment_index(), now_ns);
  if (part.arrival != PartReceiver::Arrival::kNew) {
    ++(part.arrival == PartReceiver::Arrival::kAgain ? duplicates_ : dropped_);
    return grant_if_due(*incoming, now_ns, out);
  }
  store(incoming->message, at, bytes);
  const bool was_silent = incoming->asked > 0;
  incoming->expect_parts(now_ns);
  if (was_silent) share_grants(now_ns);
  if (incoming->complete()) incoming->receiver.tell();
  grant_if_due(*incoming, now_ns, out);
  if (incoming->complete()) assign_complete(*task, *incoming, now_ns, assigned);
}

void WorkerEngine::assign_complete(RunningTask& task, IncomingTask& incoming, std::uint64_t now_ns,
                                   std::vector<Assignment>& assigned) {
  parts_.task_bytes -= incoming.message_bytes;
  parts_.assigned = std::move(incoming.message);
  incoming.message.clear();
  if (!planted(PlantedBug::kGrantNoMore)) share_grants(now_ns);
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

void WorkerEngine::send_parts_due(std::uint64_t now_ns, Outbox& out) {
  bool quiet = false;
  for (const auto& task : parts_.tasks) {
    if (task->ask_ns > now_ns) continue;
    task->ask_again(now_ns);
    quiet = true;
  }
  if (quiet) share_grants(now_ns);
  for (const auto& task : parts_.tasks) grant_if_due(*task, now_ns, out);
  for (const auto& answer : parts_.answers) send_answer_due(*answer, now_ns, out);
}

std::uint64_t WorkerEngine::next_parts_ns() const noexcept {
  std::uint64_t next_ns = PartSender::kNever;
  for (const auto& task : parts_.tasks)
    next_ns = std::min({next_ns, task->ask_ns, task->receiver.due_ns(session_.max_ack_delay_ns())});
  for (const auto& answer : parts_.answers) next_ns = std::min(next_ns, next_answer_ns(*answer));
  return next_ns;
}

}  // namespace mcplane::client
