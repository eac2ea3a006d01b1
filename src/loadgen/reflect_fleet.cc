// Its phases, sessions and turns; what becomes of a frame is in reflected_frames.cc. See reflect_fleet.h.
#include "loadgen/reflect_fleet.h"

#include "base/check.h"
#include "loadgen/ends.h"
#include "wire/checksum.h"

namespace mcplane::loadgen {
namespace {

// So long without an outcome, and a SEND goes again. Above what a broker takes to ask for what it misses.
constexpr std::uint64_t kRepeatNs = 200 * kNsPerMs;
// So long without its next SEND, and the broker is told that a slot's DELIVER came. Below what it waits for that.
constexpr std::uint64_t kKnownByNs = 5 * kNsPerMs;

}  // namespace

ReflectFleet::ReflectFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit, Progress& progress)
    : options_(options),
      transmit_(std::move(transmit)),
      progress_(progress),
      slots_(options.client_slots()),
      table_(wire::write_route_table(options.action, "", {}, "")),
      message_bytes_(send_bytes(options) - wire::kLeadBytes),
      identities_(options.endpoints()),
      roll_(options.endpoints()),
      exchanges_(std::size_t{options.clients} * slots_),
      ready_(exchanges_.size()),
      idle_(exchanges_.size()) {
  Random identities(identity_seed);
  ends_.reserve(options.endpoints());
  for (std::size_t i = 0; i < options.endpoints(); ++i)
    ends_.emplace_back(client::Session(options.broker, is_worker(i) ? worker_hello(options) : client_hello(slots_),
                                       options.mtu, Random(identities.next())));
}

// Bodies are table and payload from the start of a task: a part's differs from that in nothing but its place, and the
// last one's in its length.
void ReflectFleet::make_bodies() {
  std::size_t room = ~std::size_t{0};
  for (const End& end : ends_) room = std::min(room, end.session().datagram_bytes_max() - wire::kLeadBytes);
  PayloadWriter payloads({options_.seed, std::min<std::size_t>(options_.prompt_bytes, room)});
  const auto payload = payloads.write(0);
  body_ = table_;
  body_.insert(body_.end(), payload.begin(), payload.end());
  body_.resize(std::min(message_bytes_, room));
  parts_ = static_cast<std::uint32_t>((message_bytes_ + body_.size() - 1) / body_.size());
  last_bytes_ = message_bytes_ - (parts_ - 1) * body_.size();
  body_sum_ = wire::sum_bytes(body_);
  last_sum_ = wire::sum_bytes(std::span(body_).first(last_bytes_));
  wire::Header& lead = wire::begin_datagram(std::span(lead_).subspan(2), wire::FrameType::Send);
  lead.mutate_flags(wire::send_flags(options_.idempotent, options_.shadow, options_.priority));
  lead.mutate_message_length(static_cast<std::uint32_t>(message_bytes_));
  lead.mutate_ttl_ms(static_cast<std::uint32_t>(options_.ttl_ns / kNsPerMs));
}

void ReflectFleet::prefetch(std::size_t endpoint, std::span<const std::byte> datagram) const noexcept {
  if (is_worker(endpoint) || datagram.size() < wire::kLeadBytes) return;
  const std::uint16_t slot = wire::header_of(datagram).slot();
  if (slot < slots_) prefetch_to_write(&exchanges_[index_of(endpoint, slot)]);
  if (looks_at_all()) prefetch_to_read(datagram.subspan(wire::kLeadBytes));
}

ReflectFleet::Turned ReflectFleet::on_datagram(std::size_t endpoint, std::span<std::byte> datagram,
                                               const wire::Endpoint& from, std::uint64_t now_ns) {
  if (wire::check_datagram(datagram) != DropReason::kNone) {
    ++tally_.dropped_frames;
    return {};
  }
  const wire::Header& header = wire::header_of(std::span<const std::byte>(datagram));
  // A broker that samples traces adds its own.
  if ((header.flags() & wire::kTraceFlags) != 0) [[unlikely]]
    std::ranges::fill(datagram.subspan(kChangingBytes, wire::kLeadBytes - kChangingBytes), std::byte{});
  switch (header.type()) {
    case wire::FrameType::Route:
      return on_route(endpoint, datagram, from);
    case wire::FrameType::Deliver:
      return on_deliver(endpoint, datagram, now_ns);
    case wire::FrameType::Grant:
      on_grant(endpoint, header);
      break;
    case wire::FrameType::Resend:
      on_resend(endpoint, header);
      break;
    case wire::FrameType::Reject:
      if (header.answers() == wire::FrameType::Send) {
        on_reject(endpoint, header);
        break;
      }
      [[fallthrough]];
    default:
      to_session(endpoint, datagram, now_ns);
  }
  return {};
}

// What is no session's business is an acknowledgement, for which nobody waits here.
void ReflectFleet::to_session(std::size_t endpoint, std::span<const std::byte> datagram, std::uint64_t now_ns) {
  take_outbox(endpoint);
  client::Session& session = ends_[endpoint].session();
  if (!session.on_frame(datagram, now_ns, outbox_)) return;
  Identity& identity = identities_[endpoint];
  if (identity.boot_id != session.boot_id()) runs_.clear();
  identity.boot_id = session.boot_id();
  identity.session = session.id().value;
  identity.port = session.shard().port;
  roll_.note(static_cast<std::uint32_t>(endpoint), ends_[endpoint]);
  make_room();
}

bool ReflectFleet::wants_packet() noexcept {
  if (!asked_.empty()) return true;
  while (!ready_.empty()) {
    if (may_send(exchanges_[ready_[0]])) return true;
    exchanges_[ready_.pop()].listed = false;
  }
  return false;
}

void ReflectFleet::make_ready(std::size_t index) noexcept {
  Exchange& exchange = exchanges_[index];
  if (exchange.listed || !may_send(exchange)) return;
  exchange.listed = true;
  const bool waits = options_.open_loop() && !exchange.busy;
  (waits ? idle_ : ready_).push(static_cast<std::uint32_t>(index));
}

void ReflectFleet::release_due(std::uint64_t now_ns) noexcept {
  for (; times_.due(now_ns); times_.advance()) {
    const std::uint64_t due_ns = times_.due_ns();
    tally_.offered += due_ns >= times_.measure_from_ns() ? 1 : 0;
    if (idle_.empty()) {
      ++tally_.skipped;
      continue;
    }
    if (now_ns - due_ns > kLateNs) ++tally_.late;
    const std::uint32_t index = idle_.pop();
    if (idle_known_ > 0) --idle_known_;
    exchanges_[index].sent_ns = due_ns;
    ready_.push(index);
  }
}

// Those that have waited for some time, which are the first.
void ReflectFleet::acknowledge_idle(std::uint64_t now_ns) {
  for (; idle_known_ < idle_.size(); ++idle_known_) {
    const std::uint32_t index = idle_[idle_known_];
    const Exchange& exchange = exchanges_[index];
    if (now_ns - exchange.sent_ns < kKnownByNs) return;
    if (exchange.sequence == 0) continue;
    const std::size_t client = index / slots_;
    take_outbox(client);
    write_ack(index, outbox_.reserve());
    wire::Endpoint to = options_.broker;
    to.port = identities_[client].port;
    outbox_.commit(wire::kLeadBytes, to);
    make_room();
  }
}

void ReflectFleet::on_time(std::uint64_t now_ns) {
  if (now_ns >= next_tick_ns_) tick(now_ns);
  flush();
  if (phase_ == Phase::kRunning && options_.open_loop()) release_due(now_ns);
  // What was due before has left then.
  const bool all_sent = !options_.open_loop() || ready_.empty();
  if (phase_ == Phase::kRunning && now_ns >= times_.end_ns() && all_sent) stop(now_ns);
  if (phase_ == Phase::kDraining && (in_flight_ == 0 || now_ns >= drain_until_ns_)) phase_ = Phase::kDone;
}

void ReflectFleet::tick(std::uint64_t now_ns) {
  next_tick_ns_ = now_ns + kTickNs;
  roll_.begin_tick();
  while (const auto index = roll_.take_start()) {
    take_outbox(*index);
    ends_[*index].session().start(now_ns, outbox_);
    roll_.note(*index, ends_[*index]);
  }
  while (const auto index = roll_.take_due(now_ns)) {
    take_outbox(*index);
    ends_[*index].session().on_timer(now_ns, outbox_);
    roll_.note(*index, ends_[*index], next_tick_ns_);
  }
  for (const std::uint32_t index : refused_) make_ready(index);
  refused_.clear();
  if (options_.open_loop()) acknowledge_idle(now_ns);
  if (now_ns >= next_repeat_ns_) repeat_sends(now_ns);
  if (is_counting(phase_) && now_ns >= next_publish_ns_) publish(now_ns);
}

// Those whose tasks may not have come.
void ReflectFleet::repeat_sends(std::uint64_t now_ns) {
  next_repeat_ns_ = now_ns + kRepeatNs;
  for (std::size_t index = 0; index < exchanges_.size(); ++index) {
    Exchange& exchange = exchanges_[index];
    if (!exchange.busy || exchange.next > 1 || now_ns - exchange.sent_ns < kRepeatNs) continue;
    exchange.next = 0;
    make_ready(index);
  }
}

void ReflectFleet::begin(std::uint64_t now_ns) {
  make_bodies();
  phase_ = Phase::kRunning;
  times_.begin(now_ns, options_.profile(), options_);
  next_publish_ns_ = now_ns + kNsPerSecond;
  for (std::size_t index = 0; index < exchanges_.size(); ++index) make_ready(index);
}

void ReflectFleet::stop(std::uint64_t now_ns) {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kDraining;
  times_.end_by(now_ns);
  tally_.measured_ns = times_.measured_ns();
  drain_until_ns_ = now_ns + drain_ns(options_);
}

Tally ReflectFleet::close(std::uint64_t now_ns) {
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    take_outbox(i);
    ends_[i].session().close(now_ns, outbox_);
    flush();
  }
  tally_.endings[static_cast<std::size_t>(Ending::kNoAnswer)] += in_flight_;
  return std::move(tally_);
}

void ReflectFleet::publish(std::uint64_t now_ns) {
  next_publish_ns_ = now_ns + kNsPerSecond;
  progress_.p50_ns.store(tally_.latency.percentile(50), std::memory_order_relaxed);
  progress_.p99_ns.store(tally_.latency.percentile(99), std::memory_order_relaxed);
  progress_.publish({.sent = tally_.sent,
                     .delivered = tally_.delivered(),
                     .refused = tally_.refused(),
                     .lost = tally_.lost(),
                     .in_flight = in_flight_});
}

void ReflectFleet::take_outbox(std::size_t endpoint) {
  if (endpoint != outbox_owner_) flush();
  outbox_owner_ = endpoint;
}

// For what the next datagram may bring about.
void ReflectFleet::make_room() {
  if (outbox_.nearly_full()) flush();
}

void ReflectFleet::flush() {
  if (!outbox_.empty()) transmit_(outbox_owner_, outbox_);
}

}  // namespace mcplane::loadgen
