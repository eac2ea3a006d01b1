// Publish and subscribe over a client's session, sans-I/O: the owning ClientEngine brings datagrams, time and the
// session. Each subscription is kept, said again by PTO until the broker has acknowledged or refused it, and said anew
// in every further session, whose broker knows nothing of it. Events come at most once; gaps in their numbers say how
// many were missed. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "client/event_window.h"
#include "client/resend_queue.h"
#include "client/session.h"
#include "wire/datagram.h"

namespace mcplane::client {

// An EVENT of a subscription of ours. Points into the datagram being handled.
struct Arrival {
  std::uint32_t subscription = 0;
  std::string_view topic;
  std::span<const std::byte> payload;
};

// What the broker says of a subscription: Ok, it matches from now on, also after another registration; else why it is
// refused, and it is gone.
struct SubscriptionNews {
  std::uint32_t subscription = 0;
  wire::Reason reason = wire::Reason::Ok;
};

enum class PublishStatus : std::uint8_t { kSent, kNotRegistered, kTooLarge, kOutboxFull };

class EventEngine {
 public:
  static constexpr std::size_t kSubscriptionsMax = 0xffff;

  // table: wire::write_subscription. Returns its number; 0 when there are kSubscriptionsMax.
  std::uint32_t subscribe(std::span<const std::byte> table, Session& session, std::uint64_t now_ns, Outbox& out);
  // No event of it comes any more. A number that names none is none's.
  void unsubscribe(std::uint32_t number, Session& session, std::uint64_t now_ns, Outbox& out);
  // Of a PUBLISH: the EVENTs made of it fit towards every peer, whatever its IP version.
  static std::size_t datagram_bytes_max(const Session& session) noexcept {
    return session.frame_bytes() - (wire::kIpv6Bytes + wire::kUdpBytes);
  }
  // table: wire::write_publication. Sent once, and not answered.
  static PublishStatus publish(std::span<const std::byte> table, std::span<const std::byte> payload, Session& session,
                               std::uint64_t now_ns, Outbox& out);

  // EVENT, and what answers SUBSCRIBE and UNSUBSCRIBE. Returns false when the frame is another's, or was dropped. It
  // passed wire::check_datagram() and is not the session's business.
  bool on_frame(std::span<const std::byte> datagram, Session& session, std::uint64_t now_ns, Outbox& out);
  // What the last datagram brought, once.
  std::optional<Arrival> take_arrival() noexcept { return std::exchange(arrival_, std::nullopt); }
  std::optional<SubscriptionNews> take_news() noexcept { return std::exchange(news_, std::nullopt); }
  // The session is registered. With a full outbox the rest stays due.
  void on_timer(Session& session, std::uint64_t now_ns, Outbox& out);
  std::uint64_t next_timer_ns(const Session& session) const noexcept {
    return std::min(unsent_.first_ns(nodes_), resend_.next_ns(nodes_, session.pto_ns()));
  }
  // Another session than before: all is said anew, and numbers of events start over.
  void start_over(std::uint64_t now_ns);

  // Events that the broker sent and that did not come, over all sessions. What was sent while none was registered, or
  // behind the last one that came, does not show.
  std::uint64_t missed() const noexcept;
  std::uint64_t repeated() const noexcept { return repeated_; }  // EVENTs that had come, or came too late to tell

 private:
  enum class State : std::uint8_t {
    kFree,
    kAsked,   // SUBSCRIBE is not acknowledged
    kActive,  // it is
    kEnding,  // UNSUBSCRIBE is not acknowledged
  };
  enum class Listed : std::uint8_t { kNowhere, kUnsent, kResend };

  struct Subscription {
    std::vector<std::byte> table;
    std::uint32_t number = 0;  // its index, and how often that was used before, from 1
    State state = State::kFree;
    Listed listed = Listed::kNowhere;
    bool acknowledged = false;  // in this session or an earlier one
  };

  std::optional<std::uint32_t> take_place();
  Subscription* find(std::uint32_t number) noexcept;
  void begin(std::uint32_t index, State state, Session& session, std::uint64_t now_ns, Outbox& out);
  void transmit(std::uint32_t index, Session& session, std::uint64_t now_ns, Outbox& out);
  void on_answer(const wire::Header& header);
  bool on_event(std::span<const std::byte> datagram, Session& session, std::uint64_t now_ns, Outbox& out);
  void end_stray(std::uint32_t number, Session& session, std::uint64_t now_ns, Outbox& out);
  void list(std::uint32_t index, Listed where, std::uint64_t now_ns) noexcept;
  void unlist(std::uint32_t index) noexcept;
  void free_place(std::uint32_t index);

  std::vector<Subscription> subscriptions_;
  std::vector<std::uint32_t> free_;
  TimedNodes nodes_;  // of subscriptions
  TimedList unsent_;  // not said in this session; since when
  ResendQueue resend_;
  std::vector<EventWindow> windows_;  // by shard
  std::uint64_t missed_before_ = 0;   // in earlier sessions
  std::uint64_t repeated_ = 0;
  std::uint64_t stray_ended_ns_ = 0;
  std::optional<Arrival> arrival_;
  std::optional<SubscriptionNews> news_;
};

}  // namespace mcplane::client
