// Registration and keep-alive, the part of the protocol that clients and workers share:
//
//   kIdle -> kHelloSent -> (RETRY) kCookieSent -> (ACK) kRegistered -> (REJECT unknown_session, 3 lost PINGs) kWaiting
//   kWaiting -> (uniform 0-1 s) kHelloSent;  any -> (close) kClosed
//   kWaiting, kHelloSent, kCookieSent after lost PINGs: PING goes on, and (PONG of the session) -> kRegistered
//
// Sans-I/O: bytes and time in, bytes and state out; the owning engine calls it. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/types.h"
#include "client/outbox.h"
#include "client/round_trip.h"
#include "wire/registration.h"
#include "wire/retransmission.h"

namespace mcplane::client {

enum class SessionState : std::uint8_t { kIdle, kHelloSent, kCookieSent, kRegistered, kWaiting, kClosed };

class Session {
 public:
  // broker: any shard's address. hello.instance is drawn from `random` when it is all zero. hello is within
  // wire::hello_within_limits(); mtu is 576 to Outbox::kDatagramBytesMax.
  Session(const wire::Endpoint& broker, wire::HelloBody hello, std::uint16_t mtu, Random random);

  // Another to turn to when the one before it is silent or refuses; after the last the first again. All of one IP
  // version; before start().
  void add_broker(const wire::Endpoint& broker) { brokers_.push_back(broker); }

  void start(std::uint64_t now_ns, Outbox& out);
  // HELLO by PTO (50 ms doubling to 1 s, behind a RETRY to 200 ms), PING by the interval that the broker named last,
  // and by PTO until it is answered. Writes at most one datagram a call; when the outbox is full it stays due.
  void on_timer(std::uint64_t now_ns, Outbox& out);
  std::uint64_t next_timer_ns() const noexcept { return std::min(timer_ns_, next_probe_ns()); }
  // RETRY, HELLO's ACK, PING, PONG, REJECT(unknown_session). Returns true when the frame was the session's business.
  // The datagram passed wire::check_datagram().
  bool on_frame(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out);
  // Could come from this broker: its address, and once registered one of its shards' ports.
  bool from_broker(const wire::Endpoint& from) const noexcept;
  // Any frame sent counts as a heartbeat: the next PING moves, unless the broker has been silent for an interval.
  // A worker of several shards pings each of them whatever else it sends: its firewall must admit ROUTE from all.
  void on_sent(std::uint64_t now_ns) noexcept {
    if (!pings_every_shard()) last_sent_ns_ = now_ns;
  }
  // BYE. A worker still PINGs, so that the session lives for the RESULTs of what it runs, until the broker has ended
  // it.
  void close(std::uint64_t now_ns, Outbox& out);

  SessionState state() const noexcept { return state_; }
  bool registered() const noexcept { return state_ == SessionState::kRegistered; }
  // The broker takes frames of the session: it is registered, or a worker's that is closing.
  bool open() const noexcept { return registered() || (state_ == SessionState::kClosed && timer_ns_ != kNever); }
  // Session and boot id stay the last granted ones until another ACK: a lost session may come back unchanged.
  SessionId id() const noexcept { return id_; }
  std::uint32_t boot_id() const noexcept { return boot_id_; }
  const wire::Endpoint& broker() const noexcept { return broker_; }
  const wire::Endpoint& shard() const noexcept { return shard_; }  // where SEND goes
  std::uint16_t shards() const noexcept { return shards_; }
  // As the last PONG said, at most what HELLO's ACK granted.
  std::uint16_t slot_limit() const noexcept { return slot_limit_; }
  std::uint16_t frame_bytes() const noexcept { return frame_bytes_; }     // largest IP packet
  std::size_t datagram_bytes_max() const noexcept;                        // UDP payload of that packet
  std::uint64_t srtt_ns() const noexcept { return round_trip_.srtt_ns; }  // from HELLO and PING
  // How long an acknowledgement may be held back to go with another frame.
  std::uint64_t max_ack_delay_ns() const noexcept { return max_ack_delay_ns_; }
  // How long to wait for an acknowledgement before sending a frame again.
  std::uint64_t pto_ns() const noexcept { return pto_ns_; }
  std::uint32_t registrations() const noexcept { return registrations_; }  // how often kRegistered was entered
  // Why the broker last refused a HELLO; Ok when it never did.
  wire::Reason refusal() const noexcept { return refusal_; }

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::size_t kShardsMax = 256;

  // A PING not yet answered, found again by its number.
  struct Ping {
    std::uint32_t number = 0;
    std::uint16_t shard = 0;
    std::uint64_t sent_ns = 0;
  };

  bool may_repeat_hello() const noexcept;
  void turn_to_next_broker() noexcept;
  void resume(std::uint64_t now_ns) noexcept;
  // While it is out of reach, the broker hears of us as often as before: should it hear, the session goes on.
  std::uint64_t next_probe_ns() const noexcept { return probing_ ? last_ping_ns_ + interval_ns_ : kNever; }
  void begin_hello(std::uint64_t now_ns, Outbox& out);
  void write_hello(std::uint64_t now_ns, Outbox& out);
  void on_ping_due(std::uint64_t now_ns, Outbox& out);
  void write_ping(std::uint16_t shard, std::uint64_t now_ns, Outbox& out);
  void on_retry(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out);
  void on_welcome(std::span<const std::byte> datagram, std::uint64_t now_ns);
  void on_ping(const wire::Header& header, std::uint64_t now_ns, Outbox& out);
  void on_pong(const wire::Header& header, std::uint64_t now_ns) noexcept;
  bool on_reject(const wire::Header& header, std::uint64_t now_ns) noexcept;
  void heard(std::uint64_t now_ns) noexcept;
  void begin_heartbeat(std::uint64_t now_ns, Outbox& out);
  void ping(std::uint64_t now_ns, Outbox& out);
  void end_heartbeat() noexcept;
  void adopt_ack_delay(std::uint32_t us) noexcept;
  void adopt_interval(std::uint64_t interval_ns) noexcept;
  bool heartbeat_open() const noexcept { return awaits_answer_ || (worker_ && answered_.count() < shards_); }
  void wait_before_hello(std::uint64_t least_ns, std::uint64_t now_ns) noexcept;
  void begin_registration() noexcept;
  bool answers_hello(const wire::Header& header) const noexcept;
  std::uint64_t next_ping_ns() const noexcept;
  std::uint16_t next_shard() noexcept;
  bool pings_every_shard() const noexcept { return worker_ && shards_ > 1; }
  bool registering() const noexcept {
    return state_ == SessionState::kHelloSent || state_ == SessionState::kCookieSent;
  }

  std::vector<wire::Endpoint> brokers_;
  std::size_t broker_index_ = 0;
  wire::Endpoint broker_;  // of them
  wire::Endpoint shard_;
  wire::Id16 instance_;
  std::vector<std::byte> hello_table_;
  std::size_t hello_bytes_;  // padded, UDP payload
  std::uint16_t mtu_;
  std::uint16_t frame_bytes_;
  bool worker_;
  Random random_;

  SessionState state_ = SessionState::kIdle;
  SessionId id_;
  std::uint32_t boot_id_ = 0;
  std::uint16_t base_port_ = 0;
  std::uint16_t shards_ = 0;
  std::uint16_t slot_limit_ = 0, slots_granted_ = 0;
  std::uint32_t registrations_ = 0;
  wire::Reason refusal_ = wire::Reason::Ok;

  std::uint64_t timer_ns_ = kNever;
  std::uint64_t hello_sent_ns_ = 0;
  std::uint64_t hello_pto_ns_ = 0;
  std::uint32_t hellos_ = 0;        // since the state was entered; only an answer to the first is an RTT sample
  std::uint32_t hello_number_ = 0;  // of the last HELLO, counted from the first one ever
  std::uint32_t first_hello_ = 1;   // of this registration
  bool cookie_known_ = false;       // a HELLO with cookie went out in this registration
  wire::fb::Cookie cookie_;

  std::uint64_t interval_ns_ = 0;
  std::uint64_t last_sent_ns_ = 0;
  std::uint64_t last_heard_ns_ = 0;
  std::uint32_t unanswered_ = 0;  // heartbeats in a row without a frame from the broker
  std::uint32_t repeats_ = 0;     // of the last heartbeat's PING, by PTO
  bool awaits_answer_ = false;    // nothing was heard since that PING
  std::uint64_t next_heartbeat_ns_ = 0;
  std::uint32_t ping_number_ = 0;
  std::uint16_t sweep_left_ = 0;  // shards still owed their first PING
  std::uint16_t rotation_ = 0;
  std::bitset<kShardsMax> answered_;  // shards that sent a PONG
  std::array<Ping, 8> pings_{};

  RoundTrip round_trip_;
  std::uint64_t last_ping_ns_ = 0;
  bool probing_ = false;        // not registered for the broker's silence alone
  bool ping_measured_ = false;  // in this registration
  std::uint64_t max_ack_delay_ns_ = 0;
  std::uint64_t pto_ns_ = wire::kPtoInitialNs;
};

}  // namespace mcplane::client
