// See newsroom.h. Times are those of the broker's wire: an ACK that was seen to leave holds for every PUBLISH that
// arrives later, so nothing here waits or guesses, but for the end of a session, which control judges.
#include "newsroom.h"

#include <algorithm>
#include <cstring>

#include "wire/topic.h"

namespace mcplane::sim {
namespace {

using wire::FrameType;

// Until control has published what a session's end means; more, if it may stall.
constexpr std::uint64_t kEndNs = 20 * kNsPerMs;
// Between the loop that reads an UNSUBSCRIBE and a PUBLISH that came with it.
constexpr std::uint64_t kAboutNs = 50 * kNsPerMs;
constexpr std::size_t kPayloadMax = 600;

wire::Id16 news_id() {
  wire::Id16 id{};
  id[15] = 2;  // of no task
  return id;
}

}  // namespace

Newsroom::Newsroom(Verdict& verdict, const Options& options, std::uint32_t peers, Random random)
    : verdict_(verdict), options_(options), random_(random), peers_(peers) {}

bool Newsroom::owns(const wire::Header& header) noexcept {
  return header.type() == FrameType::Event || header.answers() == FrameType::Subscribe ||
         header.answers() == FrameType::Unsubscribe;
}

std::string Newsroom::any_tokens(bool wildcards) {
  std::string text;
  for (std::uint32_t left = between(random_, 1, 3); left > 0; --left) {
    const std::uint32_t token = random_.below(wildcards ? 3 : 2);
    text += (text.empty() ? "" : ".") + std::string(token == 2 ? "*" : token == 1 ? "b" : "a");
  }
  return wildcards && chance(random_, 0.3) ? text + ".>" : text;
}

std::span<const std::byte> Newsroom::write(FrameType type, const client::Session& session, std::uint32_t number,
                                           std::span<const std::byte> table, std::span<const std::byte> payload) {
  frame_.assign(2 + wire::kLeadBytes + table.size() + payload.size(), std::byte{});
  const auto datagram = std::span(frame_).subspan(2);  // as wire::header_of() asks
  wire::Header& header = wire::begin_datagram(datagram, type);
  header.mutate_boot_id(session.boot_id());
  header.mutate_session(session.id().value);
  header.mutate_sequence(number);
  header.mutate_table_length(static_cast<std::uint16_t>(table.size()));
  header.mutate_message_length(static_cast<std::uint32_t>(table.size() + payload.size()));
  const wire::Id16 id = news_id();
  std::memcpy(header.mutable_task_id()->Data(), id.data(), id.size());
  std::ranges::copy(table, datagram.begin() + wire::kLeadBytes);
  std::ranges::copy(payload, datagram.begin() + static_cast<std::ptrdiff_t>(wire::kLeadBytes + table.size()));
  return datagram;
}

void Newsroom::note_session(std::uint32_t index, const client::Session& session, std::uint64_t now_ns) {
  Peer& peer = peers_[index];
  if (peer.boot_id == session.boot_id() && peer.session == session.id().value) return;
  for (auto& [name, subscription] : subscriptions_)
    if (subscription.peer == index) subscription.gone_ns = std::min(subscription.gone_ns, now_ns);
  peer = {.boot_id = session.boot_id(), .session = session.id().value, .last_number = 0};
}

std::span<const std::byte> Newsroom::subscribe(std::uint32_t index, const client::Session& session) {
  const std::uint32_t number = ++peers_[index].last_number;
  Subscription& made = subscriptions_[{session.boot_id(), session.id().value, number}];
  made.peer = index;
  made.pattern = any_tokens(true);
  made.group = chance(random_, 0.3) ? "group" : "";
  return write(FrameType::Subscribe, session, number, wire::write_subscription(made.pattern, made.group), {});
}

std::span<const std::byte> Newsroom::publish(const client::Session& session) {
  const auto number = static_cast<std::uint32_t>(publications_.size());
  const Publication& made =
      publications_.emplace_back(Publication{.topic = any_tokens(false), .boot_id = session.boot_id()});
  std::vector<std::byte> payload(sizeof number + random_.below(kPayloadMax), std::byte{0x33});
  std::memcpy(payload.data(), &number, sizeof number);
  return write(FrameType::Publish, session, 0, wire::write_publication(made.topic), payload);
}

// Half of it publishes. What is not acknowledged is said again, some of what is is given up.
std::span<const std::byte> Newsroom::act(std::uint32_t index, const client::Session& session, std::uint64_t now_ns) {
  note_session(index, session, now_ns);
  if (chance(random_, 0.5)) return publish(session);
  const std::uint32_t newest = peers_[index].last_number;
  if (newest == 0 || (newest < 40 && chance(random_, 0.4))) return subscribe(index, session);
  const std::uint32_t number = between(random_, newest > 6 ? newest - 6 : 1, newest);
  Subscription& subscription = subscriptions_[{session.boot_id(), session.id().value, number}];
  if (subscription.acked_ns == kNever)
    return write(FrameType::Subscribe, session, number,
                 wire::write_subscription(subscription.pattern, subscription.group), {});
  subscription.given_up_ns = std::min(subscription.given_up_ns, now_ns);
  return write(FrameType::Unsubscribe, session, number, {}, {});
}

// A damaged frame may name anything: the broker drops it, and here it only allows more.
void Newsroom::on_arrival(std::span<const std::byte> datagram, std::uint64_t now_ns) {
  if (wire::check_datagram(datagram) != DropReason::kNone) return;
  const wire::Header& header = wire::header_of(datagram);
  if (header.type() == FrameType::Subscribe) {
    const auto found = subscriptions_.find({header.boot_id(), header.session(), header.sequence()});
    if (found != subscriptions_.end()) found->second.asked_ns = now_ns;
  }
  std::uint32_t number = 0;
  if (header.type() != FrameType::Publish || wire::payload_of(datagram).size() < sizeof number) return;
  std::memcpy(&number, wire::payload_of(datagram).data(), sizeof number);
  if (number >= publications_.size()) return;
  Publication& publication = publications_[number];
  ++publication.arrivals;
  publication.arrived_ns = std::min(publication.arrived_ns, now_ns);
}

void Newsroom::on_broker_frame(std::span<const std::byte> datagram, std::uint32_t to, std::uint64_t now_ns) {
  const wire::Header& header = wire::header_of(datagram);
  if (header.type() == FrameType::Event) return on_event(datagram, to);
  if (header.type() != FrameType::Ack || !owns(header)) return;
  const auto found = subscriptions_.find({header.boot_id(), header.session(), header.sequence()});
  if (found == subscriptions_.end() || found->second.peer != to)
    return verdict_.fail("14 events", "a subscription was acknowledged that this peer has not");
  std::uint64_t& at_ns = header.answers() == FrameType::Subscribe ? found->second.acked_ns : found->second.ended_ns;
  at_ns = std::min(at_ns, now_ns);
}

std::string Newsroom::receiver_of(const Name& name, const Subscription& subscription) {
  const auto& [boot_id, session, number] = name;
  if (!subscription.group.empty()) return std::to_string(boot_id) + " " + subscription.pattern;
  return std::to_string(boot_id) + " " + std::to_string(session) + " " + std::to_string(number);
}

void Newsroom::on_event(std::span<const std::byte> datagram, std::uint32_t to) {
  ++events_;
  const wire::Header& header = wire::header_of(datagram);
  const auto found = subscriptions_.find({header.boot_id(), header.session(), header.token_index()});
  if (found == subscriptions_.end() || found->second.peer != to)
    return verdict_.fail("14 events", "an EVENT of a subscription that this peer has not");
  std::uint32_t number = 0;
  const auto payload = wire::payload_of(datagram);
  if (payload.size() >= sizeof number) std::memcpy(&number, payload.data(), sizeof number);
  const auto topic = wire::read_publication(wire::table_of(datagram));
  if (!topic || number >= publications_.size() || publications_[number].arrivals == 0)
    return verdict_.fail("14 events", "an EVENT that nobody published");
  const Publication& publication = publications_[number];
  if (!wire::topic_matches(found->second.pattern, publication.topic))
    return verdict_.fail("14 events", "an EVENT on " + publication.topic + " for " + found->second.pattern);
  if (++received_[{number, receiver_of(found->first, found->second)}] > publication.arrivals)
    return verdict_.fail("14 events",
                         found->second.group.empty() ? "an EVENT came twice" : "two of a group got an EVENT");
  check_late(found->second, publication);
}

// A late copy of a SUBSCRIBE makes it anew.
void Newsroom::check_late(const Subscription& subscription, const Publication& publication) {
  const bool asked_again = subscription.asked_ns > subscription.given_up_ns;
  if (publication.arrived_ns > subscription.ended_ns && !asked_again)
    verdict_.fail("14 events", "an EVENT for who had unsubscribed");
  const std::uint64_t slack_ns = kEndNs + options_.faults.stall_max_ns;
  if (subscription.gone_ns != kNever && publication.arrived_ns > subscription.gone_ns + slack_ns)
    verdict_.fail("14 events", "an EVENT for a session that had ended");
}

bool Newsroom::owed(const Subscription& subscription, const Publication& publication) const {
  return subscription.acked_ns < publication.arrived_ns && wire::topic_matches(subscription.pattern, publication.topic);
}

// Of a group it is enough that one stays; but who leaves at that time may have been the one.
void Newsroom::check_complete() {
  for (std::uint32_t number = 0; number < publications_.size() && !verdict_.failed(); ++number) {
    const Publication& publication = publications_[number];
    if (publication.arrived_ns == kNever) continue;
    std::map<std::string, bool> certain;  // by receiver
    for (const auto& [name, subscription] : subscriptions_) {
      if (!owed(subscription, publication)) continue;
      const std::uint64_t left_ns = subscription.given_up_ns;
      const bool stays = left_ns == kNever || left_ns > publication.arrived_ns + kAboutNs;
      const bool had_left = left_ns != kNever && left_ns + kAboutNs < publication.arrived_ns;
      if (had_left) continue;
      const auto known = certain.try_emplace(receiver_of(name, subscription), true).first;
      known->second = known->second && stays;
    }
    for (const auto& [receiver, sure] : certain)
      if (sure && !received_.contains({number, receiver}))
        verdict_.fail("14 events", "one on " + publication.topic + " never left for a subscriber");
  }
}

}  // namespace mcplane::sim
