// SUBSCRIBE and UNSUBSCRIBE, and the tree of all subscriptions, which the cores match PUBLISHes by. An answer waits
// until the cores have the tree that it is about: who was told that he subscribes misses nothing from then on.
#include "base/planted_bug.h"
#include "control/control.h"

namespace mcplane::control {
namespace {

// The MCP datagram of a punt; empty when it is no sound SUBSCRIBE or UNSUBSCRIBE.
std::span<const std::byte> subscribe_in(const state::Punt& punt) noexcept {
  const std::size_t at = punt.payload_offset;
  if (punt.length > state::kMailboxFrameBytes || at > punt.length || at % 4 != 2) return {};
  const auto datagram = punt.frame().subspan(at);
  if (wire::check_datagram(datagram) != DropReason::kNone) return {};
  const wire::FrameType type = wire::header_of(datagram).type();
  const bool ours = type == wire::FrameType::Subscribe || type == wire::FrameType::Unsubscribe;
  return ours ? datagram : std::span<const std::byte>{};
}

}  // namespace

void Control::on_subscribe(const state::Punt& punt, ShardId arrived) {
  const auto datagram = subscribe_in(punt);
  Session* const session = registry_.find(punt.session);
  if (datagram.empty() || session == nullptr || session->path.peer != punt.peer) return;
  if (session->phase == Phase::kFree || session->phase == Phase::kEnding) return;
  const wire::Header& header = wire::header_of(datagram);
  const Confirmation done{session->id, header.type(), header.sequence(), arrived};
  if (header.type() == wire::FrameType::Unsubscribe) {
    if (!planted(PlantedBug::kKeepSubscription)) subscriptions_.remove(session->id, header.sequence());
  } else {
    const auto wanted = wire::read_subscription(wire::table_of(datagram));
    if (!wanted || header.sequence() == 0) return refuse_subscription(*session, done, wire::Reason::Malformed);
    if (!subscriptions_.try_set(session->id, header.sequence(), wanted->topic, wanted->group))
      return refuse_subscription(*session, done, wire::Reason::TableFull);
  }
  if (planted(PlantedBug::kAckUnpublished)) return confirm(done);
  confirmations_.push_back(done);
}

void Control::publish_topics_if_due() {
  if (subscriptions_.version() != published_topics_) {
    if (now_ns_ < next_topics_ns_ || shared_.routes.reclaim() >= kRetiredMax) return;
    shared_.publish_topics(topic_tree());
    published_topics_ = subscriptions_.version();
    next_topics_ns_ = now_ns_ + std::max(kPublishIntervalNs, subscriptions_.size() * kTopicIntervalNs);
  }
  for (const Confirmation& done : confirmations_) confirm(done);
  confirmations_.clear();
}

// A session that is ending has no subscription any more. Its next hop's place may be another's for the milliseconds
// that the tree before is still in use: then a late EVENT goes to a neighbour whose address is not the one it names.
std::unique_ptr<const state::TopicTree> Control::topic_tree() const {
  if (subscriptions_.size() == 0) return nullptr;
  auto tree = std::make_unique<state::TopicTree>(shared_.options.cookie_key);
  for (const auto& [id, subscriptions] : subscriptions_.by_session()) {
    const Session& session = registry_.at(SessionId{id}.index());
    tree->add_subscriber(record_of(session, session.owner));
    for (const auto& [number, subscription] : subscriptions)
      tree->add(subscription.topic, subscription.group, {session.id, number});
  }
  return tree;
}

void Control::confirm(const Confirmation& done) {
  const Session* const session = registry_.find(done.session);
  if (session == nullptr) return;
  queue(done.arrived)
      .push_frame(ack_frame(path_from(*session, done.arrived), done.answers, done.number, grant_of(*session)));
}

void Control::refuse_subscription(const Session& session, const Confirmation& done, wire::Reason reason) {
  const std::uint32_t retry_after_ms = reason == wire::Reason::Malformed ? 0 : options_.retry_after_ms;
  queue(done.arrived)
      .push_frame(reject_frame(path_from(session, done.arrived), done.answers, done.number, grant_of(session), reason,
                               retry_after_ms));
  log_.info(now_ns_, "refused subscription {} of '{}' {:08x}: {}", done.number, session.hello.name, session.id.value,
            wire::fb::EnumNameReason(reason));
}

}  // namespace mcplane::control
