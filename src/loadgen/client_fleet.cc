// The fleet's phases and sends; what comes back is in client_answers.cc. See client_fleet.h.
#include "loadgen/client_fleet.h"

#include <algorithm>
#include <limits>

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kSendBurst = 32;
// Between two looks at the sockets: a backlog after a stall must not delay answers further.
constexpr std::size_t kSendBurstsPerStep = 16;
// HELLOs are full-size frames: a thousand at once would overrun the broker's receive queue.
constexpr std::size_t kHellosPerTick = 32;
constexpr std::size_t kOutboxRoomMin = 8;
// After TTL + grace the engines have ended everything; what they have not is their error, and counts as lost.
constexpr std::uint64_t kDrainMarginNs = 500 * kNsPerMs;

wire::HelloBody hello_of(const Options& options) {
  wire::HelloBody hello;
  hello.service = wire::Service::kClient;
  hello.slots = options.client_slots();
  hello.name = "mcplane-load";
  return hello;
}

}  // namespace

ClientFleet::ClientFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit, Progress& progress)
    : options_(options),
      transmit_(std::move(transmit)),
      progress_(progress),
      payloads_(options.prompt_bytes),
      table_(wire::write_route_table(options.action, "", {}, "")),
      schedule_(options.open_loop() ? options.rate_per_second : 1.0, options.arrivals, options.seed),
      tasks_(std::size_t{options.clients} * options.client_slots()) {
  Random identities(identity_seed);
  clients_.reserve(options.clients);
  for (std::uint32_t i = 0; i < options.clients; ++i)
    clients_.push_back(
        {.engine = client::ClientEngine(options.broker, hello_of(options), kMtuBytes, Random(identities.next()))});
  free_.resize(tasks_.size());
  for (std::size_t i = 0; i < free_.size(); ++i) free_[i] = static_cast<std::uint32_t>(free_.size() - 1 - i);
}

void ClientFleet::on_datagram(std::size_t client, std::span<const std::byte> datagram, const wire::Endpoint& from,
                              std::uint64_t now_ns) {
  Client& receiver = clients_[client];
  receiver.engine.on_datagram(datagram, from, now_ns, outbox_, completions_);
  take_completions(receiver, EndedBy::kFrame, now_ns);
  if (outbox_.entries().size() + kOutboxRoomMin > client::Outbox::kDatagrams) flush(receiver);
}

void ClientFleet::on_burst_end(std::size_t client, std::uint64_t now_ns) {
  Client& receiver = clients_[client];
  if (phase_ == Phase::kRunning && !options_.open_loop()) refill(receiver, now_ns);
  flush(receiver);
}

void ClientFleet::on_time(std::uint64_t now_ns) {
  if (now_ns >= next_tick_ns_) tick(now_ns);
  if (phase_ == Phase::kRunning && options_.open_loop()) send_due(now_ns);
  advance_phase(now_ns);
}

std::uint64_t ClientFleet::next_wake_ns() const noexcept {
  if (phase_ != Phase::kRunning || !options_.open_loop()) return next_tick_ns_;
  return std::min(next_tick_ns_, start_ns_ + schedule_.due_ns());
}

void ClientFleet::tick(std::uint64_t now_ns) {
  next_tick_ns_ = now_ns + kTickNs;
  std::size_t hellos = 0;
  for (Client& client : clients_) {
    if (!client.started && hellos < kHellosPerTick) {
      client.started = true;
      client.engine.start(now_ns, outbox_);
      ++hellos;
    } else if (client.started && client.engine.next_timer_ns() <= now_ns) {
      client.engine.on_timer(now_ns, outbox_, completions_);
      take_completions(client, EndedBy::kTimer, now_ns);
    }
    if (phase_ == Phase::kRunning && !options_.open_loop()) refill(client, now_ns);
    flush(client);
  }
  if (phase_ != Phase::kConnecting && now_ns >= next_publish_ns_) publish(now_ns);
}

void ClientFleet::advance_phase(std::uint64_t now_ns) {
  if (phase_ == Phase::kRunning && now_ns >= end_ns_ && !due(now_ns)) stop(now_ns);
  if (phase_ == Phase::kDraining && (in_flight() == 0 || now_ns >= drain_until_ns_)) phase_ = Phase::kDone;
}

void ClientFleet::begin(std::uint64_t now_ns) {
  phase_ = Phase::kRunning;
  start_ns_ = now_ns;
  measure_from_ns_ = start_ns_ + options_.warmup_ns;
  end_ns_ = measure_from_ns_ + options_.duration_ns;
  next_publish_ns_ = start_ns_ + kNsPerSecond;
  next_tick_ns_ = now_ns;
}

void ClientFleet::stop(std::uint64_t now_ns) {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kDraining;
  end_ns_ = std::min(end_ns_, now_ns);
  tally_.measured_ns = end_ns_ - std::min(measure_from_ns_, end_ns_);
  drain_until_ns_ = now_ns + options_.ttl_ns + client::kGraceNs + kDrainMarginNs;
}

// A task is due by the schedule alone, and belongs to the run when it was due before the end.
bool ClientFleet::due(std::uint64_t now_ns) const noexcept {
  if (!options_.open_loop()) return false;
  const std::uint64_t due_ns = start_ns_ + schedule_.due_ns();
  return due_ns <= now_ns && due_ns < end_ns_;
}

void ClientFleet::send_due(std::uint64_t now_ns) {
  for (std::size_t burst = 0; burst < kSendBurstsPerStep && due(now_ns); ++burst) {
    Client* const client = find_free_client();
    if (client == nullptr) return skip_due(now_ns);
    for (std::size_t sends = 0; sends < kSendBurst && due(now_ns); ++sends) {
      const std::uint64_t due_ns = start_ns_ + schedule_.due_ns();
      if (!try_send(*client, due_ns, now_ns)) break;
      if (now_ns - due_ns > kLateNs) ++tally_.late;
      schedule_.advance();
    }
    flush(*client);
  }
}

// A skipped task keeps its number, so what every other task carries does not depend on how the run went.
void ClientFleet::skip_due(std::uint64_t now_ns) {
  for (; due(now_ns); schedule_.advance()) {
    ++tally_.skipped;
    ++next_number_;
  }
}

ClientFleet::Client* ClientFleet::find_free_client() noexcept {
  for (std::size_t tried = 0; tried < clients_.size(); ++tried) {
    Client& client = clients_[next_client_];
    next_client_ = next_client_ + 1 == clients_.size() ? 0 : next_client_ + 1;
    if (client.engine.session().registered() && client.engine.slots_free() > 0) return &client;
  }
  return nullptr;
}

void ClientFleet::refill(Client& client, std::uint64_t now_ns) {
  if (now_ns < client.backoff_until_ns || now_ns >= end_ns_) return;
  while (client.engine.in_flight() < options_.window) {
    if (!try_send(client, now_ns, now_ns)) return;
    if (outbox_.entries().size() + kOutboxRoomMin > client::Outbox::kDatagrams) flush(client);
  }
}

bool ClientFleet::try_send(Client& client, std::uint64_t due_ns, std::uint64_t now_ns) {
  if (free_.empty()) return false;
  const std::uint32_t index = free_.back();
  InFlight& task = tasks_[index];
  client::SendRequest request;
  request.context = (std::uint64_t{task.generation} << 32) | index;
  request.task_id = task_id_for(options_.seed, next_number_);
  request.ttl_ms = static_cast<std::uint32_t>(options_.ttl_ns / kNsPerMs);
  request.flags = wire::with_priority(options_.idempotent ? raw(wire::Flag::Idempotent) : std::uint16_t{0}, 1);
  request.table = table_;
  request.payload = payloads_.write(options_.seed, next_number_);
  if (client.engine.send(request, now_ns, outbox_) != client::SendStatus::kSent) return false;
  free_.pop_back();
  task.number = next_number_++;
  task.due_ns = due_ns;
  task.busy = true;
  ++tally_.sent;
  return true;
}

std::size_t ClientFleet::registered() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      clients_.begin(), clients_.end(), [](const Client& client) { return client.engine.session().registered(); }));
}

std::uint16_t ClientFleet::frame_bytes_min() const noexcept {
  std::uint16_t least = std::numeric_limits<std::uint16_t>::max();
  for (const Client& client : clients_)
    if (client.engine.session().registered()) least = std::min(least, client.engine.session().frame_bytes());
  return least;
}

}  // namespace mcplane::loadgen
