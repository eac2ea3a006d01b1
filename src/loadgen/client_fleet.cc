// The fleet's phases and sends; what comes back is in client_answers.cc. See client_fleet.h.
#include "loadgen/client_fleet.h"

#include <algorithm>
#include <limits>

#include "loadgen/ends.h"

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kSendBurst = 32;
// Between two looks at the sockets: a backlog after a stall must not delay answers further.
constexpr std::size_t kSendBurstsPerStep = 16;
// The first tasks of a closed loop, a look at the port: all windows at once would overrun the broker's receive queue.
constexpr std::size_t kFillsPerStep = 64;

}  // namespace

ClientFleet::ClientFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit, Progress& progress)
    : options_(options),
      transmit_(std::move(transmit)),
      progress_(progress),
      payloads_({options.seed, options.prompt_bytes, options.prompt_sizes}),
      table_(wire::write_route_table(options.action, "", {}, "")),
      roll_(options.clients),
      ready_(options.clients),
      tasks_(std::size_t{options.clients} * options.client_slots()) {
  if (options.streams()) chunks_.emplace(options.seed, options.stream, tasks_.size());
  Random identities(identity_seed);
  clients_.reserve(options.clients);
  for (std::uint32_t i = 0; i < options.clients; ++i)
    clients_.push_back({.engine = client::ClientEngine(options.broker, client_hello(options.client_slots()),
                                                       options.mtu, Random(identities.next()))});
  free_.resize(tasks_.size());
  for (std::size_t i = 0; i < free_.size(); ++i) free_[i] = static_cast<std::uint32_t>(free_.size() - 1 - i);
}

void ClientFleet::on_datagram(std::size_t client, std::span<const std::byte> datagram, const wire::Endpoint& from,
                              std::uint64_t now_ns) {
  Client& receiver = take_outbox(client);
  receiver.engine.on_datagram(datagram, from, now_ns, outbox_, completions_);
  take_completions(receiver, EndedBy::kFrame, now_ns);
  if (outbox_.nearly_full()) flush();
}

void ClientFleet::on_burst_end(std::size_t client, std::uint64_t now_ns) {
  take_outbox(client);
  use(static_cast<std::uint32_t>(client), now_ns, 0);
  flush();
}

// What an engine may do after anything happened to it: send, if it can, and be woken.
void ClientFleet::use(std::uint32_t client, std::uint64_t now_ns, std::uint64_t not_before_ns) {
  if (phase_ == Phase::kRunning) {
    if (options_.open_loop())
      offer(client);
    else
      refill(client, now_ns);
  }
  roll_.note(client, clients_[client].engine, not_before_ns);
}

void ClientFleet::on_time(std::uint64_t now_ns) {
  if (now_ns >= next_tick_ns_) tick(now_ns);
  if (phase_ == Phase::kRunning) {
    if (options_.open_loop())
      send_due(now_ns);
    else
      fill_some(now_ns);
  }
  advance_phase(now_ns);
}

std::uint64_t ClientFleet::next_wake_ns() const noexcept {
  if (phase_ != Phase::kRunning) return next_tick_ns_;
  if (options_.open_loop()) return std::min(next_tick_ns_, times_.due_ns());
  return filled_ < clients_.size() ? 0 : next_tick_ns_;
}

void ClientFleet::tick(std::uint64_t now_ns) {
  next_tick_ns_ = now_ns + kTickNs;
  roll_.begin_tick();
  while (const auto client = roll_.take_start()) {
    take_outbox(*client).engine.start(now_ns, outbox_);
    roll_.note(*client, clients_[*client].engine);
  }
  while (const auto client = roll_.take_due(now_ns)) {
    Client& due = take_outbox(*client);
    due.engine.on_timer(now_ns, outbox_, completions_);
    take_completions(due, EndedBy::kTimer, now_ns);
    use(*client, now_ns, next_tick_ns_);
  }
  flush();
  if (!is_counting(phase_)) return;
  if (now_ns >= next_interval_ns_) end_interval(now_ns);
  if (now_ns >= next_publish_ns_) publish(now_ns);
}

void ClientFleet::advance_phase(std::uint64_t now_ns) {
  if (phase_ == Phase::kRunning && (all_begun() || (now_ns >= times_.end_ns() && !due(now_ns)))) stop(now_ns);
  if (phase_ != Phase::kDraining || (in_flight() > 0 && now_ns < drain_until_ns_)) return;
  phase_ = Phase::kDone;
  end_interval(now_ns);
}

void ClientFleet::begin(std::uint64_t now_ns, const RateProfile& profile) {
  phase_ = Phase::kRunning;
  tally_ = {};
  last_interval_.clear();
  times_.begin(now_ns, profile, options_);
  if (chunks_) chunks_->start(times_.measure_from_ns());
  next_publish_ns_ = now_ns + kNsPerSecond;
  next_interval_ns_ = now_ns + options_.interval_ns;
  progress_.delivered_before = 0;
  interval_ = {.from_ns = now_ns};
  // Room for every interval up to the end, so that none allocates.
  tally_.intervals.reserve(
      std::min<std::size_t>(kIntervalsMax, (times_.end_ns() - now_ns) / options_.interval_ns + 64));
  next_tick_ns_ = std::min(next_tick_ns_, now_ns);  // it may begin later: sessions live until then
  filled_ = 0;
  if (options_.open_loop())
    for (std::uint32_t i = 0; i < clients_.size(); ++i) offer(i);
}

void ClientFleet::stop(std::uint64_t now_ns) {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kDraining;
  times_.end_by(now_ns);
  tally_.measured_ns = times_.measured_ns();
  drain_until_ns_ = now_ns + drain_ns(options_);
}

void ClientFleet::send_due(std::uint64_t now_ns) {
  for (std::size_t burst = 0; burst < kSendBurstsPerStep && due(now_ns); ++burst) {
    const auto client = take_ready();
    if (!client) return skip_due(now_ns);
    Client& sender = take_outbox(*client);
    for (std::size_t sends = 0; sends < kSendBurst && due(now_ns); ++sends) {
      const std::uint64_t due_ns = times_.due_ns();
      if (!try_send(sender, due_ns, now_ns)) break;
      if (now_ns - due_ns > kLateNs) ++tally_.late;
      count_offered(due_ns);
      times_.advance();
    }
    flush();
    use(*client, now_ns, 0);
  }
}

// A skipped task keeps its number, so what every other task carries does not depend on how the run went.
void ClientFleet::skip_due(std::uint64_t now_ns) {
  for (; due(now_ns); times_.advance()) {
    ++tally_.skipped;
    ++next_number_;
    count_offered(times_.due_ns());
  }
}

void ClientFleet::offer(std::uint32_t client) noexcept {
  Client& offered = clients_[client];
  if (offered.offered || offered.engine.slots_free() == 0) return;
  offered.offered = true;
  ready_.push(client);
}

std::optional<std::uint32_t> ClientFleet::take_ready() noexcept {
  while (!ready_.empty()) {
    const std::uint32_t client = ready_.pop();
    clients_[client].offered = false;
    const client::ClientEngine& engine = clients_[client].engine;
    if (engine.session().registered() && engine.slots_free() > 0) return client;
  }
  return std::nullopt;
}

void ClientFleet::fill_some(std::uint64_t now_ns) {
  for (const std::uint64_t before = tally_.sent; filled_ < clients_.size() && tally_.sent < before + kFillsPerStep;
       ++filled_) {
    take_outbox(filled_);
    use(static_cast<std::uint32_t>(filled_), now_ns, 0);
  }
  flush();
}

void ClientFleet::refill(std::uint32_t client, std::uint64_t now_ns) {
  Client& sender = clients_[client];
  if (now_ns >= times_.end_ns()) return;
  if (now_ns < sender.backoff_until_ns) return roll_.arm(client, sender.backoff_until_ns);
  while (sender.engine.in_flight() < options_.window) {
    if (!try_send(sender, now_ns, now_ns)) return;
    if (outbox_.nearly_full()) flush();
  }
}

bool ClientFleet::try_send(Client& client, std::uint64_t due_ns, std::uint64_t now_ns) {
  if (free_.empty() || all_begun()) return false;
  const std::uint32_t index = free_.back();
  InFlight& task = tasks_[index];
  client::SendRequest request;
  request.context = (std::uint64_t{task.generation} << 32) | index;
  request.task_id = task_id_for(options_.seed, next_number_);
  request.ttl_ms = static_cast<std::uint32_t>(options_.ttl_ns / kNsPerMs);
  request.flags = wire::send_flags(options_.idempotent, options_.shadow, options_.priority);
  request.table = table_;
  request.payload = payloads_.write(next_number_, client.engine.payload_place(table_.size(), outbox_));
  if (client.engine.send(request, now_ns, outbox_) != client::SendStatus::kSent) return false;
  free_.pop_back();
  task.number = next_number_++;
  task.due_ns = due_ns;
  task.received = 0;
  task.busy = true;
  task.broken = false;
  if (chunks_) [[unlikely]]
    chunks_->begin(index, task.number, due_ns);
  ++tally_.sent;
  return true;
}

std::uint16_t ClientFleet::frame_bytes_min() const noexcept {
  std::uint16_t least = std::numeric_limits<std::uint16_t>::max();
  for (const Client& client : clients_)
    if (client.engine.session().registered()) least = std::min(least, client.engine.session().frame_bytes());
  return least;
}

}  // namespace mcplane::loadgen
