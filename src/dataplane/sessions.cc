// What the control thread asks of a shard: sessions installed and ended, frames of its own to send.
// A session ends by a sweep over the task table, a bounded piece a loop, so that the hot path keeps no lists by
// session; sessions that end while a sweep is under way wait for the next one.
#include <algorithm>

#include "dataplane/departure.h"
#include "dataplane/task_end.h"

namespace mcplane::dataplane {
namespace {

void install(Shard& shard, const state::SessionRecord& record) noexcept {
  Session& session = shard.sessions.at(record.id.index());
  session.record = record;
  session.ending = false;
  const auto first = shard.client_slots.begin() + record.client_slot_base;
  if (wire::is_client(record.service)) std::fill(first, first + record.slot_limit, ClientSlot{});
}

void end(Shard& shard, SessionId id) noexcept {
  Session* session = shard.sessions.find_any(id);
  if (session != nullptr && session->ending) return;
  if (session != nullptr) session->ending = true;
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
  Departure departure;
  departure.packet = std::move(packet);
  departure.port = command.port;
  shard.departures.push(std::move(departure));
}

enum class Fate : std::uint8_t { kLives, kEnded, kNoBuffer };

// Ends the task when its worker or client is gone. A worker leaves its tasks lost; a client leaves nobody to tell, and
// its worker is asked to stop. kNoBuffer: its client could not be told; nothing changed.
Fate end_if_orphaned(Shard& shard, Task& task) noexcept {
  const bool client_gone = shard.sessions.find(task.client) == nullptr;
  if (task.state == TaskState::kQueued) {
    if (!client_gone) return Fate::kLives;
    shard.counters.client_lost.add();
    end_queued(shard, task, wire::Reason::Cancelled);
    return Fate::kEnded;
  }
  const bool worker_gone = shard.sessions.find(task.worker_session) == nullptr;
  const bool routed = task.state == TaskState::kRouted;
  if (worker_gone) {
    if (routed && !tell_client(shard, task, wire::Reason::WorkerLost)) return Fate::kNoBuffer;
    if (routed) (client_gone ? shard.counters.client_lost : shard.counters.worker_lost).add();
    release_routed(shard, task);
    return Fate::kEnded;
  }
  if (!client_gone || !routed) return Fate::kLives;
  shard.counters.client_lost.add();
  begin_cancel(shard, task);
  return Fate::kEnded;
}

// Tells control of each session that is swept; what a full mailbox does not take is told next loop.
void report_ended(Shard& shard) noexcept {
  auto& ended = shard.sweep.current;
  while (!ended.empty()) {
    state::Punt punt;
    punt.kind = state::PuntKind::kSessionEnded;
    punt.session = ended.back();
    if (!shard.mine.mailbox.to_control.try_push(punt)) return;
    if (Session* session = shard.sessions.find_any(punt.session)) *session = Session{};
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
      case state::CommandKind::kTransmit:
        transmit(shard, command);
        break;
      case state::CommandKind::kDrain:
        shard.draining = true;
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
    if (task.state != TaskState::kFree) {
      const Fate fate = end_if_orphaned(shard, task);
      if (fate == Fate::kNoBuffer) return;
      if (fate == Fate::kEnded) ++ended;
    }
    ++sweep.cursor;
  }
  if (sweep.cursor >= shard.tasks.touched()) report_ended(shard);
}

}  // namespace mcplane::dataplane
