// What the control thread asks of a shard: sessions installed and ended, frames of its own to send.
// A session ends by a sweep over the task table, a bounded piece a loop, so that the hot path keeps no lists by
// session; sessions that end while a sweep is under way wait for the next one.
#include <algorithm>

#include "base/planted_bug.h"
#include "dataplane/departure.h"
#include "dataplane/inspect.h"
#include "dataplane/task_end.h"

namespace mcplane::dataplane {
namespace {

void install(Shard& shard, const state::SessionRecord& record) noexcept {
  Session& session = shard.sessions.install(record);
  session.pto_ms = record.pto_ms;
  const auto first = shard.client_slots.begin() + record.client_slot_base;
  if (wire::is_client(record.service)) std::fill(first, first + record.slot_limit, ClientSlot{});
}

void end(Shard& shard, SessionId id) noexcept {
  Session* session = shard.sessions.find_any(id);
  if (session != nullptr && session->live != id) return;  // it is ending
  if (session != nullptr) {
    shard.sessions.end(*session);
    if (session->record.worker != kNoWorker) shard.shared.workers.refresh(session->record.worker);
  }
  shard.sweep.next.push_back(id);
}

void transmit(Shard& shard, const state::Command& command) noexcept {
  net::Packet packet = shard.take_spare();
  if (packet.buffer() == nullptr) {
    shard.counters.no_buffer.add();
    return;
  }
  std::memcpy(packet.data(), command.bytes.data(), command.length);
  packet.set_length(command.length);
  Departure& departure = shard.departures.add();
  departure.to = nullptr;
  departure.packet = std::move(packet);
  departure.port = command.port;
}

// Ends what the task's client or worker, being gone, leaves behind. Whether anything was to be done.
bool end_if_orphaned(Shard& shard, Task& task) noexcept {
  const bool client_gone = task.client && shard.sessions.find(task.client) == nullptr;
  if (client_gone) lose_client(shard, task);
  if (!state::holds_worker_slot(task.state) || shard.sessions.find(task.worker_session) != nullptr) return client_gone;
  if (task.state == TaskState::kCancelling)
    end_cancelling(shard, task);
  else
    lose_worker(shard, task);
  return true;
}

// Tells control of each session that is swept; what a full mailbox does not take is told next loop.
void report_ended(Shard& shard) noexcept {
  auto& ended = shard.sweep.current;
  while (!ended.empty()) {
    state::Punt punt;
    punt.kind = state::PuntKind::kSessionEnded;
    punt.session = ended.back();
    if (!shard.mine.mailbox.to_control.try_push(punt)) return;
    shard.sessions.remove(punt.session);
    ended.pop_back();
  }
}

}  // namespace

std::uint32_t run_commands(Shard& shard) noexcept {
  state::Command command;
  std::uint32_t count = 0;
  while (count < kCommandsPerLoop && shard.mine.mailbox.to_shard.pop({&command, 1}) == 1) {
    ++count;
    switch (command.kind) {
      case state::CommandKind::kInstallSession:
        install(shard, command.record);
        break;
      case state::CommandKind::kEndSession:
        end(shard, command.record.id);
        break;
      case state::CommandKind::kRefreshWorker:
        shard.shared.workers.refresh(command.record.worker);
        break;
      case state::CommandKind::kSetGate:
        shard.shared.workers.set_gate(command.record.worker, command.gate);
        break;
      case state::CommandKind::kTransmit:
        transmit(shard, command);
        break;
      case state::CommandKind::kDrain:
        shard.draining = true;
        break;
      case state::CommandKind::kResume:
        shard.draining = false;
        break;
      case state::CommandKind::kInspect:
        inspect(shard);
        break;
    }
  }
  return count;
}

void run_sweep(Shard& shard) noexcept {
  Shard::Sweep& sweep = shard.sweep;
  if (sweep.current.empty()) {
    // The sweep begins with the next loop: this one's departures may still point to the sessions' headers.
    std::swap(sweep.current, sweep.next);
    sweep.cursor = 0;
    return;
  }
  std::uint32_t ended = 0;
  for (std::uint32_t looked = 0; looked < kSweptPerLoop && sweep.cursor < shard.tasks.touched(); ++looked) {
    if (ended == kEndedPerLoop) return;
    Task& task = shard.tasks[sweep.cursor];
    if (task.state != TaskState::kFree && end_if_orphaned(shard, task)) ++ended;
    sweep.cursor += planted(PlantedBug::kSweepSkips) ? 2 : 1;
  }
  if (sweep.cursor >= shard.tasks.touched()) report_ended(shard);
}

}  // namespace mcplane::dataplane
