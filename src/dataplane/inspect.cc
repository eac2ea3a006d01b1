// See inspect.h.
#include "dataplane/inspect.h"

#include <algorithm>
#include <cstring>

namespace mcplane::dataplane {
namespace {

using state::Inspection;
using state::Selector;

void copy_selector(const RouteEntry& entry, Selector& to) noexcept {
  to.length = entry.key_length;
  std::memcpy(to.bytes.data(), entry.key.data(), entry.key_length);
}

// The client slot that its SEND came on; null of copies, and when that has gone on.
const ClientSlot* asking_slot(Shard& shard, const Task& task) noexcept {
  const Session* const client = task.mirror ? nullptr : shard.sessions.find(task.client);
  if (client == nullptr) return nullptr;
  const ClientSlot& slot = shard.client_slot(*client, task.slot);
  return slot.task == shard.tasks.index_of(task) ? &slot : nullptr;
}

// Null when its selector's entry has become another's, or nobody knows any more.
const RouteEntry* entry_of(Shard& shard, const ClientSlot* slot) noexcept {
  return slot != nullptr ? shard.routes.find(slot->asked()) : nullptr;
}

bool is_asked_for(const Inspection::Question& question, const Task& task, const ClientSlot* slot,
                  const RouteEntry* entry) noexcept {
  if ((question.states >> raw(task.state) & 1U) == 0) return false;
  if (question.id && (slot == nullptr || slot->task_id != *question.id)) return false;
  if (question.generation != 0 && task.generation != question.generation) return false;
  const Selector& route = question.route;
  if (route.length == 0) return true;
  return entry != nullptr && entry->key_length >= route.length &&
         std::memcmp(entry->key.data() + 1, route.bytes.data() + 1, route.length - 1U) == 0;
}

void copy_task(Shard& shard, const Task& task, const ClientSlot* slot, const RouteEntry* entry,
               state::TaskCopy& to) noexcept {
  to.token = shard.token_of(task);
  to.id = slot != nullptr ? slot->task_id : wire::Id16{};
  to.state = task.state;
  to.attempt = task.attempt;
  to.tries = task.tries;
  to.client_knows = task.client_knows;
  to.degraded = task.degraded;
  to.mirror = task.mirror;
  to.answering = task.answering;
  to.flags = task.sent_flags();
  to.slot = task.slot;
  to.sequence = task.sequence;
  to.client = task.client;
  to.worker = task.worker_session;
  to.age_ms = static_cast<std::uint32_t>(task.elapsed_ns(shard.task_clock) / kNsPerMs);
  to.ttl_left_ms = static_cast<std::int32_t>(task.deadline_ms - shard.now_ms);
  const bool queued = task.state == TaskState::kQueued;
  to.queued_us = queued ? static_cast<std::uint32_t>(task.elapsed_ns(shard.task_clock) / kNsPerUs) : task.queued_us;
  to.selector.length = 0;
  to.waiting_in_class = to.waiting_in_route = 0;
  if (entry == nullptr) return;
  copy_selector(*entry, to.selector);
  if (!queued) return;
  const FlowName& name = shard.held.name_of(shard.held[task.number]);
  to.waiting_in_class = entry->lines.classes[name.priority].frames;
  to.waiting_in_route = entry->lines.frames;
}

// copy(slot) says whether it made a copy of it.
template <class Copy>
void walk(Inspection& piece, std::uint32_t slots, Copy copy) noexcept {
  const std::uint32_t end = std::min(slots, piece.question.to);
  std::uint32_t at = piece.question.from;
  piece.count = 0;
  for (std::uint32_t looked = 0; at < end && looked < Inspection::kLookedMax && piece.count < Inspection::kCopiesMax;
       ++looked, ++at)
    if (copy(at)) ++piece.count;
  piece.next = at;
  piece.more = at < end;
}

}  // namespace

void inspect(Shard& shard) noexcept {
  Inspection& piece = shard.mine.inspection;
  if (piece.question.subject == Inspection::Subject::kTasks)
    walk(piece, shard.tasks.touched(), [&](std::uint32_t index) {
      const Task& task = shard.tasks[index];
      if (task.state == TaskState::kFree) return false;
      const ClientSlot* const slot = asking_slot(shard, task);
      const RouteEntry* const entry = entry_of(shard, slot);
      if (!is_asked_for(piece.question, task, slot, entry)) return false;
      copy_task(shard, task, slot, entry, piece.tasks[piece.count]);
      return true;
    });
  else
    walk(piece, shard.routes.capacity(), [&](std::uint32_t slot) {
      const RouteEntry& entry = shard.routes[static_cast<std::uint16_t>(slot)];
      if (entry.key_length == 0) return false;
      state::RouteCopy& to = piece.routes[piece.count];
      for (std::size_t i = 0; i < to.waiting.size(); ++i) to.waiting[i] = entry.lines.classes[i].frames;
      copy_selector(entry, to.selector);
      return true;
    });
  // Pairs with control's acquire load: what was copied is visible.
  piece.answered.fetch_add(1, std::memory_order_release);
}

}  // namespace mcplane::dataplane
