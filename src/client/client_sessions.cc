// A ClientEngine's slots when its session changes: another one, none, or another slot limit. See client_engine.h.
#include <utility>

#include "base/planted_bug.h"
#include "client/client_engine.h"

namespace mcplane::client {

// The same session under the same boot id goes on where it was; another one starts with fresh slots, and with those of
// the old one's sends that may run twice.
void ClientEngine::on_registered(std::uint64_t now_ns, std::vector<Completion>& done) {
  registrations_ = session_.registrations();
  resend_.on_news();
  if (session_.id() == slots_session_ && session_.boot_id() == slots_boot_ && session_.broker() == slots_broker_)
    return;
  slots_session_ = session_.id();
  slots_boot_ = session_.boot_id();
  slots_broker_ = session_.broker();
  if (events_) events_->start_over(now_ns);
  resend_.clear();
  unsent_.clear();
  owed_.clear();
  free_.clear();
  waiting_.clear();
  slot_limit_ = 0;
  for (std::size_t i = slots_.size(); i > 0; --i) {
    Slot& slot = slots_[i - 1];
    slot.sequence = 0;
    slot.listed = Listed::kNowhere;
    const bool alive = slot.alive();
    slot.state = SlotState::kFree;
    if (!alive) continue;
    const bool may_run_twice = wire::has(wire::header_of(slot.kept.bytes()).flags(), wire::Flag::Idempotent);
    if ((!may_run_twice && !planted(PlantedBug::kResendAnyTask)) || has_pieces(static_cast<std::uint16_t>(i - 1))) {
      complete_here(slot, wire::Reason::UnknownSession, done);
      end_parts(static_cast<std::uint16_t>(i - 1));
    } else if (ttl_left_ms(slot, now_ns) == 0) {
      slot.state = SlotState::kWaiting;
      end_here(static_cast<std::uint16_t>(i - 1), wire::Reason::Expired, now_ns, done);
    } else {
      slot.state = SlotState::kWaiting;
      waiting_.push_back(static_cast<std::uint16_t>(i - 1));
    }
  }
}

// Slots below the limit take new sends; those that wait go first.
void ClientEngine::use_slots(std::size_t limit, std::uint64_t now_ns) {
  const std::size_t before = slot_limit_;
  slot_limit_ = limit;
  std::erase_if(free_, [limit](std::uint16_t index) { return index >= limit; });
  for (std::size_t i = limit; i > before; --i) {
    const auto index = static_cast<std::uint16_t>(i - 1);
    if (slots_[index].state == SlotState::kWaiting) start_again(index, now_ns);
  }
  for (std::size_t i = limit; i > before; --i) {
    const auto index = static_cast<std::uint16_t>(i - 1);
    if (slots_[index].state == SlotState::kFree && !take_waiting(index, now_ns)) free_.push_back(index);
  }
}

// A kept SEND as a new one of this session.
void ClientEngine::start_again(std::uint16_t index, std::uint64_t now_ns) noexcept {
  Slot& slot = slots_[index];
  slot.state = SlotState::kInFlight;
  slot.moved = true;
  wire::Header& header = wire::header_of(slot.kept.mutable_bytes());
  header.mutate_boot_id(session_.boot_id());
  header.mutate_session(session_.id().value);
  header.mutate_slot(index);
  header.mutate_sequence(++slot.sequence);
  restart_parts(index);
  unlist(index);
  list(index, Listed::kUnsent, now_ns);
}

// Into a free slot.
bool ClientEngine::take_waiting(std::uint16_t index, std::uint64_t now_ns) noexcept {
  while (!waiting_.empty()) {
    Slot& from = slots_[waiting_.back()];
    waiting_.pop_back();
    if (from.state != SlotState::kWaiting) continue;
    Slot& to = slots_[index];
    to.context = from.context;
    to.sent_ns = from.sent_ns;
    to.deadline_ns = from.deadline_ns;
    to.task_id = from.task_id;
    std::swap(to.kept, from.kept);
    to.in_parts = std::exchange(from.in_parts, false);
    parts_.move(static_cast<std::uint16_t>(&from - slots_.data()), index);
    from.state = SlotState::kFree;
    start_again(index, now_ns);
    return true;
  }
  return false;
}

void ClientEngine::close(std::uint64_t now_ns, Outbox& out, std::vector<Completion>& done) {
  if (session_.registered()) write_acks(now_ns, out);
  session_.close(now_ns, out);
  for (Slot& slot : slots_) {
    if (slot.alive()) complete_here(slot, wire::Reason::UnknownSession, done);
    slot.state = SlotState::kFree;
  }
  earliest_ns_ = kNever;
  free_.clear();
  waiting_.clear();
  parts_.clear();
}

}  // namespace mcplane::client
