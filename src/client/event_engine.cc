// A number is an index and how often it was used, so that a late frame of an ended subscription is not taken for one of
// the next. See event_engine.h.
#include "client/event_engine.h"

#include <cstring>

#include "base/check.h"
#include "wire/topic.h"

namespace mcplane::client {

namespace {

constexpr std::uint32_t index_of(std::uint32_t number) noexcept { return number & 0xffffU; }

// As often as it was used and once more; never 0.
constexpr std::uint32_t next_number(std::uint32_t index, std::uint32_t last_number) noexcept {
  const std::uint32_t uses = (last_number >> 16) + 1;
  return (uses > 0xffffU ? 1 : uses) << 16 | index;
}

wire::Header& begin_frame(std::span<std::byte> datagram, wire::FrameType type, const Session& session) noexcept {
  wire::Header& header = wire::begin_datagram(datagram, type);
  header.mutate_boot_id(session.boot_id());
  header.mutate_session(session.id().value);
  return header;
}

void write_unsubscribe(std::uint32_t number, Session& session, std::uint64_t now_ns, Outbox& out) {
  begin_frame(out.reserve(), wire::FrameType::Unsubscribe, session).mutate_sequence(number);
  out.commit(wire::kLeadBytes, session.shard());
  session.on_sent(now_ns);
}

void write_subscribe(std::uint32_t number, std::span<const std::byte> table, Session& session, std::uint64_t now_ns,
                     Outbox& out) {
  const auto datagram = out.reserve();
  wire::Header& header = begin_frame(datagram, wire::FrameType::Subscribe, session);
  header.mutate_sequence(number);
  header.mutate_table_length(static_cast<std::uint16_t>(table.size()));
  header.mutate_message_length(static_cast<std::uint32_t>(table.size()));
  std::memcpy(datagram.data() + wire::kLeadBytes, table.data(), table.size());
  out.commit(wire::kLeadBytes + table.size(), session.shard());
  session.on_sent(now_ns);
}

bool of_session(const wire::Header& header, const Session& session) noexcept {
  return header.boot_id() == session.boot_id() && header.session() == session.id().value;
}

}  // namespace

std::uint32_t EventEngine::subscribe(std::span<const std::byte> table, Session& session, std::uint64_t now_ns,
                                     Outbox& out) {
  const auto index = take_place();
  if (!index) return 0;
  Subscription& taken = subscriptions_[*index];
  taken.table.assign(table.begin(), table.end());
  taken.number = next_number(*index, taken.number);
  taken.acknowledged = false;
  begin(*index, State::kAsked, session, now_ns, out);
  return taken.number;
}

void EventEngine::unsubscribe(std::uint32_t number, Session& session, std::uint64_t now_ns, Outbox& out) {
  const Subscription* const ended = find(number);
  if (ended == nullptr || ended->state == State::kEnding) return;
  if (ended->listed == Listed::kUnsent) return free_place(index_of(number));  // this session's broker never heard of it
  begin(index_of(number), State::kEnding, session, now_ns, out);
}

PublishStatus EventEngine::publish(std::span<const std::byte> table, std::span<const std::byte> payload,
                                   Session& session, std::uint64_t now_ns, Outbox& out) {
  if (!session.registered()) return PublishStatus::kNotRegistered;
  const std::size_t message = table.size() + payload.size();
  if (wire::kLeadBytes + message > datagram_bytes_max(session)) return PublishStatus::kTooLarge;
  if (out.full()) return PublishStatus::kOutboxFull;
  const auto datagram = out.reserve();
  wire::Header& header = begin_frame(datagram, wire::FrameType::Publish, session);
  header.mutate_table_length(static_cast<std::uint16_t>(table.size()));
  header.mutate_message_length(static_cast<std::uint32_t>(message));
  std::byte* const behind = datagram.data() + wire::kLeadBytes;
  std::memcpy(behind, table.data(), table.size());
  if (!payload.empty()) std::memcpy(behind + table.size(), payload.data(), payload.size());
  out.commit(wire::kLeadBytes + message, session.shard());
  session.on_sent(now_ns);
  return PublishStatus::kSent;
}

bool EventEngine::on_frame(std::span<const std::byte> datagram, Session& session, std::uint64_t now_ns, Outbox& out) {
  const wire::Header& header = wire::header_of(datagram);
  if (header.type() == wire::FrameType::Event) return on_event(datagram, session, now_ns, out);
  const bool answer = header.type() == wire::FrameType::Ack || header.type() == wire::FrameType::Reject;
  const bool to_us = header.answers() == wire::FrameType::Subscribe || header.answers() == wire::FrameType::Unsubscribe;
  if (!answer || !to_us || !of_session(header, session)) return false;
  on_answer(header);
  return true;
}

void EventEngine::on_answer(const wire::Header& header) {
  Subscription* const answered = find(header.sequence());
  const State asked = header.answers() == wire::FrameType::Subscribe ? State::kAsked : State::kEnding;
  if (answered == nullptr || answered->state != asked) return;
  const bool refused = header.type() == wire::FrameType::Reject;
  // One that held before is not given up: the broker may have room again, and is asked by PTO as if it had not heard.
  if (refused && answered->acknowledged && asked == State::kAsked) return;
  resend_.on_news();
  if (refused || asked == State::kEnding) free_place(index_of(answered->number));
  if (asked == State::kEnding) return;
  news_ = {header.sequence(), refused ? header.reason() : wire::Reason::Ok};
  if (refused) return;
  unlist(index_of(answered->number));
  answered->state = State::kActive;
  answered->acknowledged = true;
}

bool EventEngine::on_event(std::span<const std::byte> datagram, Session& session, std::uint64_t now_ns, Outbox& out) {
  const wire::Header& header = wire::header_of(datagram);
  if (!of_session(header, session) || header.slot() >= session.shards()) return false;
  const auto topic = wire::read_topic(wire::table_of(datagram));
  if (!topic) return false;
  if (windows_.size() <= header.slot()) windows_.resize(header.slot() + std::size_t{1});
  if (!windows_[header.slot()].take(header.sequence())) {
    ++repeated_;
    return true;
  }
  const Subscription* const subscription = find(header.token_index());
  if (subscription == nullptr)
    end_stray(header.token_index(), session, now_ns, out);
  else if (subscription->state != State::kEnding)
    arrival_ = {header.token_index(), *topic, wire::payload_of(datagram)};
  return true;
}

// A SUBSCRIBE that the network repeated late, behind the UNSUBSCRIBE, is a subscription that only the broker knows of.
void EventEngine::end_stray(std::uint32_t number, Session& session, std::uint64_t now_ns, Outbox& out) {
  if (!session.registered() || out.full() || now_ns < stray_ended_ns_ + session.pto_ns()) return;
  stray_ended_ns_ = now_ns;
  write_unsubscribe(number, session, now_ns, out);
}

void EventEngine::on_timer(Session& session, std::uint64_t now_ns, Outbox& out) {
  while (!out.full() && !unsent_.empty()) transmit(unsent_.first(), session, now_ns, out);
  while (!out.full()) {
    const std::uint32_t index = resend_.take_due(nodes_, now_ns, session.pto_ns());
    if (index == ResendQueue::kNone) return;
    subscriptions_[index].listed = Listed::kNowhere;
    transmit(index, session, now_ns, out);
  }
}

void EventEngine::start_over(std::uint64_t now_ns) {
  missed_before_ = missed();
  windows_.clear();
  resend_.clear();
  unsent_.clear();
  for (std::uint32_t index = 0; index < subscriptions_.size(); ++index) {
    Subscription& subscription = subscriptions_[index];
    subscription.listed = Listed::kNowhere;
    if (subscription.state == State::kEnding) free_place(index);
    if (subscription.state == State::kFree) continue;
    subscription.state = State::kAsked;
    list(index, Listed::kUnsent, now_ns);
  }
}

std::uint64_t EventEngine::missed() const noexcept {
  std::uint64_t missed = missed_before_;
  for (const EventWindow& window : windows_) missed += window.missed();
  return missed;
}

std::optional<std::uint32_t> EventEngine::take_place() {
  if (!free_.empty()) {
    const std::uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  if (subscriptions_.size() == kSubscriptionsMax) return std::nullopt;
  subscriptions_.emplace_back();
  nodes_.grow();
  return static_cast<std::uint32_t>(subscriptions_.size() - 1);
}

EventEngine::Subscription* EventEngine::find(std::uint32_t number) noexcept {
  if (index_of(number) >= subscriptions_.size()) return nullptr;
  Subscription& found = subscriptions_[index_of(number)];
  return found.state != State::kFree && found.number == number ? &found : nullptr;
}

void EventEngine::begin(std::uint32_t index, State state, Session& session, std::uint64_t now_ns, Outbox& out) {
  subscriptions_[index].state = state;
  if (session.registered() && !out.full()) return transmit(index, session, now_ns, out);
  unlist(index);
  list(index, Listed::kUnsent, now_ns);
}

void EventEngine::transmit(std::uint32_t index, Session& session, std::uint64_t now_ns, Outbox& out) {
  const Subscription& subscription = subscriptions_[index];
  unlist(index);
  if (subscription.state == State::kEnding)
    write_unsubscribe(subscription.number, session, now_ns, out);
  else
    write_subscribe(subscription.number, subscription.table, session, now_ns, out);
  list(index, Listed::kResend, now_ns);
}

void EventEngine::list(std::uint32_t index, Listed where, std::uint64_t now_ns) noexcept {
  subscriptions_[index].listed = where;
  if (where == Listed::kResend) return resend_.push(nodes_, index, now_ns);
  unsent_.push_back(nodes_, index, now_ns);
}

void EventEngine::unlist(std::uint32_t index) noexcept {
  Listed& listed = subscriptions_[index].listed;
  if (listed == Listed::kResend) resend_.erase(nodes_, index);
  if (listed == Listed::kUnsent) unsent_.erase(nodes_, index);
  listed = Listed::kNowhere;
}

void EventEngine::free_place(std::uint32_t index) {
  unlist(index);
  subscriptions_[index].state = State::kFree;
  free_.push_back(index);
}

}  // namespace mcplane::client
