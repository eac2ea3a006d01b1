// Registration and keep-alive of one endpoint. One timer serves every state: HELLO's PTO, the PING interval, or the
// random wait before a new HELLO; it is armed lazily, so that sending a frame costs one store.
#include "client/session.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/planted_bug.h"

namespace mcplane::client {

namespace {

constexpr std::uint64_t kHelloPtoMinNs = 50 * kNsPerMs;
constexpr std::uint64_t kHelloPtoMaxNs = kNsPerSecond;
// A broker that leaves this many HELLOs unanswered is not there, if there is another.
constexpr std::uint32_t kHellosMax = 4;
// Who gave a cookie is there, so what he does not answer was lost, and is soon said again.
constexpr std::uint64_t kHelloPtoToKnownMaxNs = 200 * kNsPerMs;
// A cookie that brings no ACK after as many HELLOs is stale, or its broker is gone: ask for another.
constexpr std::uint32_t kHellosToKnownMax = 8;
constexpr std::uint32_t kPingsLostMax = 3;
// An endpoint that has tasks to send needs no heartbeat, but both ends need to know the round trip.
constexpr std::uint32_t kIntervalsPerSample = 4;
constexpr std::uint64_t kAckDelayMaxNs = kNsPerSecond;
constexpr std::uint32_t kRehelloSpreadMs = 1'000;
constexpr std::size_t kIpv4Overhead = 28, kIpv6Overhead = 48;  // IP and UDP headers
constexpr std::uint16_t kFrameBytesMin = 576;

constexpr std::size_t overhead_of(const wire::Endpoint& peer) noexcept {
  return peer.ip.is_v4() ? kIpv4Overhead : kIpv6Overhead;
}

bool same_cookie(const wire::fb::Cookie& a, const wire::fb::Cookie& b) noexcept {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// The grant of a broker is bytes from a peer: true when it can be worked with.
bool usable(const wire::fb::Welcome& welcome) noexcept {
  const std::uint32_t ports_end = std::uint32_t{welcome.base_port()} + welcome.shards();
  return welcome.shards() >= 1 && welcome.base_port() != 0 && ports_end <= 65'536 &&
         welcome.port() >= welcome.base_port() && welcome.port() < ports_end &&
         welcome.frame_bytes() >= kFrameBytesMin && welcome.heartbeat_interval_ms() >= 1;
}

}  // namespace

Session::Session(const wire::Endpoint& broker, wire::HelloBody hello, std::uint16_t mtu, Random random)
    : brokers_{broker},
      broker_(broker),
      shard_(broker),
      mtu_(mtu),
      frame_bytes_(mtu),
      worker_(wire::is_worker(hello.service)),
      random_(random) {
  if (hello.instance == wire::Id16{})
    for (auto& byte : hello.instance) byte = static_cast<std::uint8_t>(random_.below(256));
  instance_ = hello.instance;
  hello_table_ = wire::write_hello(hello);
  const std::size_t least = wire::kLeadBytes + wire::kCookieBytes + hello_table_.size();
  hello_bytes_ = std::max(least, mtu - overhead_of(broker));
  CHECK(mtu >= kFrameBytesMin);
  CHECK(hello_bytes_ <= Outbox::kDatagramBytesMax);
}

std::size_t Session::datagram_bytes_max() const noexcept { return frame_bytes_ - overhead_of(broker_); }

bool Session::from_broker(const wire::Endpoint& from) const noexcept {
  if (from.ip != broker_.ip) return false;
  if (registering() || from.port == broker_.port) return true;
  return from.port >= base_port_ && from.port - base_port_ < shards_;
}

void Session::start(std::uint64_t now_ns, Outbox& out) {
  DCHECK(state_ == SessionState::kIdle);
  begin_hello(now_ns, out);
}

void Session::close(std::uint64_t now_ns, Outbox& out) {
  if (registered() && !out.full()) {
    wire::Header& header = wire::begin_datagram(out.reserve(), wire::FrameType::Bye);
    header.mutate_boot_id(boot_id_);
    header.mutate_session(id_.value);
    out.commit(wire::kLeadBytes, shard_);
    last_sent_ns_ = now_ns;
  }
  timer_ns_ = worker_ && registered() ? now_ns + interval_ns_ : kNever;
  probing_ = false;
  state_ = SessionState::kClosed;
}

void Session::on_timer(std::uint64_t now_ns, Outbox& out) {
  if (out.full()) return;
  if (now_ns >= next_probe_ns()) return write_ping(next_shard(), now_ns, out);
  if (now_ns < timer_ns_) return;
  switch (state_) {
    case SessionState::kIdle:
      return;
    case SessionState::kClosed:
      write_ping(next_shard(), now_ns, out);
      timer_ns_ = now_ns + interval_ns_;
      return;
    case SessionState::kWaiting:
      return begin_hello(now_ns, out);
    case SessionState::kCookieSent:
    case SessionState::kHelloSent:
      if (may_repeat_hello()) return write_hello(now_ns, out);
      turn_to_next_broker();
      return begin_hello(now_ns, out);
    case SessionState::kRegistered:
      return on_ping_due(now_ns, out);
  }
}

bool Session::may_repeat_hello() const noexcept {
  if (state_ == SessionState::kCookieSent) return hellos_ < kHellosToKnownMax;
  return hellos_ < kHellosMax || brokers_.size() == 1;
}

void Session::turn_to_next_broker() noexcept {
  if (brokers_.size() == 1) return;
  begin_registration();
  broker_index_ = broker_index_ + 1 == brokers_.size() ? 0 : broker_index_ + 1;
  broker_ = brokers_[broker_index_];
}

void Session::begin_hello(std::uint64_t now_ns, Outbox& out) {
  if (state_ != SessionState::kCookieSent || brokers_.size() > 1) hello_pto_ns_ = kHelloPtoMinNs;
  state_ = SessionState::kHelloSent;
  hellos_ = 0;
  if (out.full())
    timer_ns_ = now_ns;
  else
    write_hello(now_ns, out);
}

void Session::write_hello(std::uint64_t now_ns, Outbox& out) {
  const auto datagram = out.reserve();
  wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Hello);
  header.mutate_table_length(static_cast<std::uint16_t>(hello_table_.size()));
  ++hellos_;
  header.mutate_sequence(++hello_number_);
  const bool with_cookie = state_ == SessionState::kCookieSent;
  wire::set_cookie(datagram, with_cookie ? cookie_ : wire::fb::Cookie{});
  const std::size_t table_at = wire::kLeadBytes + wire::kCookieBytes;
  const std::size_t table_end = table_at + hello_table_.size();
  std::memcpy(datagram.data() + table_at, hello_table_.data(), hello_table_.size());
  std::memset(datagram.data() + table_end, 0, hello_bytes_ - table_end);
  out.commit(hello_bytes_, broker_);
  hello_sent_ns_ = now_ns;
  timer_ns_ = now_ns + hello_pto_ns_;
  const std::uint64_t most_ns =
      with_cookie ? std::clamp(3 * round_trip_.srtt_ns, kHelloPtoToKnownMaxNs, kHelloPtoMaxNs) : kHelloPtoMaxNs;
  hello_pto_ns_ = std::min(2 * hello_pto_ns_, most_ns);
}

void Session::on_ping_due(std::uint64_t now_ns, Outbox& out) {
  if (sweep_left_ > 0) {
    --sweep_left_;
    if (sweep_left_ == 0) return begin_heartbeat(now_ns, out);
    write_ping(next_shard(), now_ns, out);
    timer_ns_ = now_ns;
    return;
  }
  if (now_ns < next_heartbeat_ns_ && heartbeat_open()) {
    ++repeats_;
    return ping(now_ns, out);
  }
  const std::uint64_t due_ns = next_ping_ns();
  if (!pings_every_shard() && unanswered_ == 0 && due_ns > now_ns) {
    timer_ns_ = due_ns;
    return;
  }
  if (unanswered_ >= kPingsLostMax) {
    probing_ = brokers_.size() == 1;
    turn_to_next_broker();
    return wait_before_hello(0, now_ns);
  }
  ++unanswered_;
  begin_heartbeat(now_ns, out);
}

void Session::begin_heartbeat(std::uint64_t now_ns, Outbox& out) {
  repeats_ = 0;
  next_heartbeat_ns_ = now_ns + interval_ns_;
  ping(now_ns, out);
}

// A PING that is not answered is sent again: one that was lost must not count as much as a broker that is gone.
void Session::ping(std::uint64_t now_ns, Outbox& out) {
  write_ping(next_shard(), now_ns, out);
  awaits_answer_ = true;
  timer_ns_ = std::min(next_heartbeat_ns_, now_ns + wire::backed_off(pto_ns_, repeats_));
}

// Frames that go out keep the session alive at the broker, but only frames that come in prove the broker alive.
std::uint64_t Session::next_ping_ns() const noexcept {
  const std::uint64_t sample_ns = last_ping_ns_ + (ping_measured_ ? kIntervalsPerSample : 1) * interval_ns_;
  return std::min(std::min(last_sent_ns_, last_heard_ns_) + interval_ns_, sample_ns);
}

std::uint16_t Session::next_shard() noexcept {
  if (!pings_every_shard()) return static_cast<std::uint16_t>(shard_.port - base_port_);
  // A shard whose first PING or PONG was lost goes first: until it has answered, the worker is not published.
  for (std::uint16_t i = 0; sweep_left_ == 0 && i < shards_; ++i) {
    const auto shard = static_cast<std::uint16_t>((rotation_ + i) % shards_);
    if (answered_.test(shard)) continue;
    rotation_ = static_cast<std::uint16_t>((shard + 1) % shards_);
    return shard;
  }
  const std::uint16_t shard = rotation_;
  rotation_ = static_cast<std::uint16_t>((rotation_ + 1) % shards_);
  return shard;
}

void Session::write_ping(std::uint16_t shard, std::uint64_t now_ns, Outbox& out) {
  wire::Header& header = wire::begin_datagram(out.reserve(), wire::FrameType::Ping);
  header.mutate_boot_id(boot_id_);
  header.mutate_session(id_.value);
  header.mutate_sequence(++ping_number_);
  const auto measured_us = [](std::uint64_t ns) {
    return static_cast<std::uint32_t>(ns / kNsPerUs + (ns > 0 ? 1 : 0));
  };
  wire::set_ping_rtt(header, measured_us(round_trip_.srtt_ns), measured_us(round_trip_.rttvar_ns));
  out.commit(wire::kLeadBytes, {broker_.ip, static_cast<std::uint16_t>(base_port_ + shard)});
  pings_[ping_number_ % pings_.size()] = {ping_number_, shard, now_ns};
  last_sent_ns_ = last_ping_ns_ = now_ns;
}

// The broker was out of reach for a while, and has not given the session up.
void Session::resume(std::uint64_t now_ns) noexcept {
  probing_ = false;
  state_ = SessionState::kRegistered;
  timer_ns_ = now_ns + interval_ns_;
}

bool Session::on_frame(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out) {
  const wire::Header& header = wire::header_of(datagram);
  const bool answers_probe = header.type() == wire::FrameType::Pong && header.boot_id() == boot_id_;
  if (probing_ && answers_probe && header.session() == id_.value) resume(now_ns);
  if (registered() && header.boot_id() == boot_id_) heard(now_ns);
  switch (header.type()) {
    case wire::FrameType::Retry:
      on_retry(datagram, now_ns, out);
      return true;
    case wire::FrameType::Ping:
      on_ping(header, now_ns, out);
      return true;
    case wire::FrameType::Pong:
      on_pong(header, now_ns);
      return true;
    case wire::FrameType::Ack:
      if (header.answers() == wire::FrameType::Hello) on_welcome(datagram, now_ns);
      return header.answers() == wire::FrameType::Hello || header.answers() == wire::FrameType::Bye;
    case wire::FrameType::Reject:
      return on_reject(header, now_ns);
    default:
      return false;
  }
}

void Session::heard(std::uint64_t now_ns) noexcept {
  last_heard_ns_ = now_ns;
  unanswered_ = 0;
  if (!awaits_answer_) return;
  awaits_answer_ = false;
  end_heartbeat();
}

// Once every shard it was sent to has answered, the next heartbeat has its own time.
void Session::end_heartbeat() noexcept {
  if (!heartbeat_open()) timer_ns_ = std::max(timer_ns_, next_heartbeat_ns_);
}

void Session::on_retry(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out) {
  const wire::fb::Cookie cookie = wire::cookie_of(datagram);
  if (!registering() || !answers_hello(wire::header_of(datagram))) return;
  if (state_ == SessionState::kCookieSent && same_cookie(cookie, cookie_)) return;
  if (state_ == SessionState::kHelloSent && hellos_ == 1) round_trip_.sample(now_ns - hello_sent_ns_);
  cookie_ = cookie;
  cookie_known_ = true;
  state_ = SessionState::kCookieSent;
  hellos_ = 0;
  hello_pto_ns_ = std::clamp(3 * round_trip_.srtt_ns, kHelloPtoMinNs, kHelloPtoMaxNs);
  timer_ns_ = now_ns;
  on_timer(now_ns, out);
}

void Session::on_welcome(std::span<const std::byte> datagram, std::uint64_t now_ns) {
  const wire::Header& header = wire::header_of(datagram);
  const wire::fb::Welcome welcome = wire::welcome_of(datagram);
  // Only a HELLO with a cookie is answered so; a repeated ACK finds the session registered.
  if (!registering() || !cookie_known_ || header.boot_id() == 0 || !usable(welcome)) return;
  if (!answers_hello(header) && !planted(PlantedBug::kStaleWelcome)) return;
  // A late one may be for the process that had this address before: its session is not ours to go on with.
  if (wire::task_id_of(header) != instance_) return;
  state_ = SessionState::kRegistered;
  probing_ = false;
  id_ = {header.session()};
  boot_id_ = header.boot_id();
  shard_ = {broker_.ip, welcome.port()};
  base_port_ = welcome.base_port();
  shards_ = std::min<std::uint16_t>(welcome.shards(), kShardsMax);
  slot_limit_ = slots_granted_ = welcome.slot_limit();
  frame_bytes_ = std::min(welcome.frame_bytes(), mtu_);  // HELLO proved no more than mtu_
  interval_ns_ = std::uint64_t{welcome.heartbeat_interval_ms()} * kNsPerMs;
  adopt_ack_delay(welcome.max_ack_delay_us());
  // The handshake's round trip had no tasks in its way; until a PING had, it is not trusted that much.
  ping_measured_ = false;
  pto_ns_ = std::max(wire::kPtoInitialNs, 3 * round_trip_.srtt_ns);
  ++registrations_;
  cookie_known_ = false;
  answered_.reset();
  rotation_ = 0;
  sweep_left_ = worker_ ? shards_ : std::uint16_t{0};
  last_sent_ns_ = last_ping_ns_ = now_ns;
  heard(now_ns);
  timer_ns_ = sweep_left_ > 0 ? now_ns : now_ns + interval_ns_;
}

// The broker asks whether we are there, and will again when this finds no room.
void Session::on_ping(const wire::Header& header, std::uint64_t now_ns, Outbox& out) {
  if (!open() || header.boot_id() != boot_id_ || header.session() != id_.value || out.full()) return;
  write_ping(next_shard(), now_ns, out);
}

void Session::on_pong(const wire::Header& header, std::uint64_t now_ns) noexcept {
  if (!registered() || header.boot_id() != boot_id_ || header.session() != id_.value) return;
  Ping& ping = pings_[header.sequence() % pings_.size()];
  if (ping.number != header.sequence() || ping.number == 0) return;
  round_trip_.sample(now_ns - ping.sent_ns);
  ping_measured_ = true;
  if (const std::uint32_t us = wire::pong_ack_delay_us(header); us != 0) adopt_ack_delay(us);
  pto_ns_ = wire::pto_ns(round_trip_.srtt_ns, round_trip_.rttvar_ns, max_ack_delay_ns_);
  slot_limit_ = std::min(header.slot(), slots_granted_);
  answered_.set(ping.shard);
  ping.number = 0;
  if (header.ttl_ms() != 0) adopt_interval(std::uint64_t{header.ttl_ms()} * kNsPerMs);
  end_heartbeat();
}

void Session::adopt_ack_delay(std::uint32_t us) noexcept {
  max_ack_delay_ns_ = std::min(us * kNsPerUs, kAckDelayMaxNs);
}

// From the last PING on: a shorter interval must not wait for the longer one's end.
void Session::adopt_interval(std::uint64_t interval_ns) noexcept {
  if (interval_ns == interval_ns_) return;
  interval_ns_ = interval_ns;
  next_heartbeat_ns_ = last_ping_ns_ + interval_ns;
  if (sweep_left_ == 0) timer_ns_ = std::min(timer_ns_, next_heartbeat_ns_);
}

bool Session::on_reject(const wire::Header& header, std::uint64_t now_ns) noexcept {
  if (header.answers() == wire::FrameType::Hello) {
    if (!registering() || !answers_hello(header)) return true;
    refusal_ = header.reason();
    turn_to_next_broker();
    wait_before_hello(brokers_.size() > 1 ? 0 : std::uint64_t{header.ttl_ms()} * kNsPerMs, now_ns);
    return true;
  }
  if (header.reason() != wire::Reason::UnknownSession) return false;
  probing_ = false;
  if (registered()) wait_before_hello(0, now_ns);
  if (state_ == SessionState::kClosed) timer_ns_ = kNever;
  return true;
}

// What answers an earlier registration leads back into a session that was left, where late ROUTEs would be new to us.
bool Session::answers_hello(const wire::Header& header) const noexcept {
  return static_cast<std::int32_t>(header.sequence() - first_hello_) >= 0;
}

void Session::begin_registration() noexcept {
  cookie_known_ = false;
  first_hello_ = hello_number_ + 1;
}

void Session::wait_before_hello(std::uint64_t least_ns, std::uint64_t now_ns) noexcept {
  state_ = SessionState::kWaiting;
  begin_registration();
  timer_ns_ = now_ns + least_ns + random_.below(kRehelloSpreadMs) * kNsPerMs;
}

}  // namespace mcplane::client
