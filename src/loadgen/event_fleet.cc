// See event_fleet.h.
#include "loadgen/event_fleet.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "loadgen/ends.h"
#include "wire/topic.h"

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kPublishBurst = 32;
// Between two looks at the sockets.
constexpr std::size_t kBurstsPerStep = 16;
// Of the ledger. In a closed loop others go on while a lost one is waited for.
constexpr std::size_t kOpenMin = 65'536;
constexpr std::size_t kLedgerBytesMax = std::size_t{256} << 20;

// Room for what is on its way until it counts as lost, a second, and half as much again.
EventLedger::Shape shape_of(const Options& options, std::uint64_t seed) {
  const std::size_t bytes_each = 16 + options.subscribers / options.topics / 8 + 8;
  const std::size_t events_max = kLedgerBytesMax / bytes_each;
  const auto most = static_cast<double>(events_max);
  const double wanted = std::max(1.5 * options.rate_per_second, 1.0 * options.window * options.clients);
  return {.subscribers = options.subscribers,
          .topics = options.topics,
          .payload_bytes = options.prompt_bytes,
          .seed = seed,
          .open_max = static_cast<std::size_t>(std::min(std::max(wanted, double{kOpenMin}), most))};
}

}  // namespace

EventFleet::EventFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit, Progress& progress)
    : options_(options),
      transmit_(std::move(transmit)),
      progress_(progress),
      ledger_(shape_of(options, identity_seed)),
      roll_(options.endpoints()) {
  for (std::uint32_t topic = 0; topic < options.topics; ++topic)
    publications_.push_back(wire::write_publication(ledger_.topic_name(topic)));
  Random identities(identity_seed);
  endpoints_.reserve(options.endpoints());
  for (std::size_t i = 0; i < options.endpoints(); ++i)
    endpoints_.push_back(
        {.engine = client::ClientEngine(options.broker, client_hello(1), options.mtu, Random(identities.next()))});
}

void EventFleet::on_datagram(std::size_t endpoint, std::span<const std::byte> datagram, const wire::Endpoint& from,
                             std::uint64_t now_ns) {
  Endpoint& receiver = take_outbox(endpoint);
  receiver.engine.on_datagram(datagram, from, now_ns, outbox_, completions_);
  // An event brings no timer forward.
  if (!take_event(receiver, endpoint, now_ns)) roll_.note(static_cast<std::uint32_t>(endpoint), receiver.engine);
  if (outbox_.nearly_full()) flush();
}

bool EventFleet::take_event(Endpoint& receiver, std::size_t endpoint, std::uint64_t now_ns) {
  client::EventEngine* const events = receiver.engine.events();
  if (events == nullptr) return false;
  if (const auto arrival = events->take_arrival()) {
    ledger_.take(static_cast<std::uint32_t>(endpoint - options_.clients), arrival->topic, arrival->payload, now_ns);
    return true;
  }
  const auto news = events->take_news();
  if (!news) return false;
  if (news->reason != wire::Reason::Ok) refusal_ = news->reason;
  if (news->reason == wire::Reason::Ok && !std::exchange(receiver.subscribed, true)) ++subscribed_;
  return false;
}

// What a delivery lets the closed loop publish goes with on_time(), which every look at the input ends with.
void EventFleet::on_burst_end(std::size_t, std::uint64_t) { flush(); }

void EventFleet::on_time(std::uint64_t now_ns) {
  if (now_ns >= next_tick_ns_) tick(now_ns);
  if (phase_ == Phase::kRunning) publish_due(now_ns);
  advance_phase(now_ns);
}

std::uint64_t EventFleet::next_wake_ns() const noexcept {
  if (phase_ != Phase::kRunning || !options_.open_loop()) return next_tick_ns_;
  return std::min(next_tick_ns_, times_.due_ns());
}

void EventFleet::start(std::uint32_t endpoint, std::uint64_t now_ns) {
  client::ClientEngine& engine = take_outbox(endpoint).engine;
  engine.start(now_ns, outbox_);
  if (!subscribes(endpoint)) return;
  const std::uint32_t topic = (endpoint - options_.clients) % options_.topics;
  engine.subscribe(wire::write_subscription(ledger_.topic_name(topic), ""), now_ns, outbox_);
}

void EventFleet::tick(std::uint64_t now_ns) {
  next_tick_ns_ = now_ns + kTickNs;
  roll_.begin_tick();
  while (const auto endpoint = roll_.take_start()) {
    start(*endpoint, now_ns);
    roll_.note(*endpoint, endpoints_[*endpoint].engine);
  }
  while (const auto endpoint = roll_.take_due(now_ns)) {
    client::ClientEngine& engine = take_outbox(*endpoint).engine;
    engine.on_timer(now_ns, outbox_, completions_);
    roll_.note(*endpoint, engine, next_tick_ns_);
  }
  flush();
  if (!is_counting(phase_)) return;
  ledger_.give_up_overdue(now_ns);
  if (now_ns >= next_progress_ns_) publish_progress(now_ns);
}

void EventFleet::advance_phase(std::uint64_t now_ns) {
  if (phase_ == Phase::kRunning && (all_begun() || (now_ns >= times_.end_ns() && !due(now_ns)))) stop(now_ns);
  if (phase_ == Phase::kDraining && ledger_.open() == 0) phase_ = Phase::kDone;
}

void EventFleet::begin(std::uint64_t now_ns) {
  phase_ = Phase::kRunning;
  times_.begin(now_ns, options_.profile(), options_);
  next_progress_ns_ = now_ns + kNsPerSecond;
  ledger_.start(times_.measure_from_ns(), times_.end_ns());
}

void EventFleet::stop(std::uint64_t now_ns) {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kDraining;
  times_.end_by(now_ns);
  ledger_.end_at(times_.end_ns());
  ledger_.tally().measured_ns = times_.measured_ns();
}

// Closed loop: as long as fewer than all windows are on their way.
bool EventFleet::due(std::uint64_t now_ns) const noexcept {
  if (all_begun()) return false;
  if (options_.open_loop()) return times_.due(now_ns);
  return ledger_.open() < std::size_t{options_.window} * options_.clients && now_ns < times_.end_ns();
}

// Publishers take turns, a burst each.
void EventFleet::publish_due(std::uint64_t now_ns) {
  for (std::size_t burst = 0; burst < kBurstsPerStep && due(now_ns); ++burst) {
    if (!ledger_.has_room()) return skip_due(now_ns);
    const std::size_t index = next_publisher_;
    next_publisher_ = index + 1 == options_.clients ? 0 : index + 1;
    Endpoint& publisher = take_outbox(index);
    for (std::size_t i = 0; i < kPublishBurst && due(now_ns) && try_publish(publisher, now_ns); ++i) continue;
    flush();
    roll_.note(static_cast<std::uint32_t>(index), publisher.engine);
  }
}

bool EventFleet::try_publish(Endpoint& publisher, std::uint64_t now_ns) {
  if (!ledger_.has_room()) return false;
  const auto& table = publications_[ledger_.topic_of(ledger_.next_number())];
  if (publisher.engine.publish(table, ledger_.payload(), now_ns, outbox_) != client::PublishStatus::kSent) return false;
  const std::uint64_t due = options_.open_loop() ? times_.due_ns() : now_ns;
  if (now_ns - due > kLateNs) ++ledger_.tally().published_late;
  ledger_.begin(due);
  ++begun_;
  if (options_.open_loop()) times_.advance();
  return true;
}

void EventFleet::skip_due(std::uint64_t now_ns) {
  for (; options_.open_loop() && due(now_ns); times_.advance()) {
    ++ledger_.tally().skipped;
    ++begun_;
  }
}

EventFleet::Endpoint& EventFleet::take_outbox(std::size_t endpoint) {
  if (endpoint != outbox_owner_) flush();
  outbox_owner_ = endpoint;
  return endpoints_[endpoint];
}

void EventFleet::flush() {
  if (!outbox_.empty()) transmit_(outbox_owner_, outbox_);
}

void EventFleet::publish_progress(std::uint64_t now_ns) {
  next_progress_ns_ = now_ns + kNsPerSecond;
  const EventTally& tally = ledger_.tally();
  progress_.p50_ns.store(tally.latency.percentile(50), std::memory_order_relaxed);
  progress_.p99_ns.store(tally.latency.percentile(99), std::memory_order_relaxed);
  progress_.publish(
      {.sent = tally.published, .delivered = tally.delivered, .lost = tally.lost, .in_flight = ledger_.open()});
}

std::uint16_t EventFleet::frame_bytes_min() const noexcept {
  std::uint16_t least = std::numeric_limits<std::uint16_t>::max();
  for (const Endpoint& endpoint : endpoints_)
    if (endpoint.engine.session().registered()) least = std::min(least, endpoint.engine.session().frame_bytes());
  return least;
}

const EventTally& EventFleet::close(std::uint64_t now_ns) {
  ledger_.give_up_all();
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    take_outbox(i).engine.close(now_ns, outbox_, completions_);
    flush();
    if (const auto* const events = endpoints_[i].engine.events()) {
      ledger_.tally().missed += events->missed();
      ledger_.tally().repeated_frames += events->repeated();
    }
  }
  phase_ = Phase::kDone;
  return ledger_.tally();
}

}  // namespace mcplane::loadgen
