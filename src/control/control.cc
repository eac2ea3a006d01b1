// The step of the control thread: hear the shards, judge, publish, answer, speak.
#include "control/control.h"

#include <utility>

#include "base/check.h"

namespace mcplane::control {
namespace {

constexpr std::size_t kPuntBurst = 32;
// Of each shard, a poll: as many as its ring holds, so one busy shard cannot keep the others waiting.
constexpr std::size_t kPuntsPerPoll = state::kMailboxSlots;

}  // namespace

Control::Control(state::Shared& shared, ControlOptions options, std::vector<wire::LocalAddresses> ports, Random random)
    : shared_(shared),
      options_(std::move(options)),
      ports_(std::move(ports)),
      registry_({options_.max_sessions, options_.max_clients, shared.workers.capacity(), shared.options.shards},
                random),
      links_(ports_.size()),
      neighbours_(shared.neighbours, ports_, options_.gateways, random),
      lease_clock_(shared.shards.size(), ports_.size(), options_.cores_share_cpu),
      core_loads_(shared.shards.size()),
      worker_pace_(options_.heartbeat_interval_ms),
      client_pace_(options_.client_heartbeat_interval_ms),
      ack_pace_(options_.max_ack_delay_us),
      breakers_(shared, options_.config.settings->breaker, random),
      probes_(options_.config.settings->probe, random),
      log_(options_.logger),
      config_(options_.config),
      settings_(options_.config.settings),
      punts_(kPuntBurst) {
  CHECK(options_.max_sessions <= shared.options.sessions);
  use_settings();
  for (const auto& shard : shared.shards) queues_.emplace_back(shard->mailbox.to_shard);
}

bool Control::poll(std::uint64_t now_ns) {
  now_ns_ = now_ns;
  if (!std::exchange(started_, true)) started_ns_ = now_ns;
  watch_links();
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    const auto shard = ShardId(static_cast<std::uint8_t>(i));
    hear_neighbours(shard);
    drain_mailbox(shard);
    hear_spans(shard);
  }
  set_paces();
  ask_neighbours();
  hear_outcomes();
  run_probes();
  lease_clock_.tick(now_ns, shared_, links_);
  core_loads_.tick(shared_, now_ns);
  judge_suspects();
  sweep();
  publish_if_due();
  publish_topics_if_due();
  degradations_.look(pools_, now_ns_, log_);
  recommend_if_due();
  run_requests();
  serve_config();
  inquiries_.poll(shared_, queues_);
  captures_.poll(shared_, now_ns_);
  for (auto& queue : queues_) queue.flush();
  return had_cores_work();
}

bool Control::had_cores_work() noexcept {
  std::uint64_t busy_loops = 0;
  for (const auto& shard : shared_.shards) busy_loops += shard->counters.busy_loops.read();
  return std::exchange(busy_loops_, busy_loops) != busy_loops;
}

void Control::drain_mailbox(ShardId shard) {
  auto& ring = shared_.shards[raw(shard)]->mailbox.to_control;
  for (std::size_t taken = 0; taken < kPuntsPerPoll;) {
    const std::size_t count = ring.pop(std::span(punts_));
    for (std::size_t i = 0; i < count; ++i) on_punt(punts_[i], shard);
    if (count < punts_.size()) return;
    taken += count;
  }
}

void Control::on_punt(const state::Punt& punt, ShardId shard) {
  switch (punt.kind) {
    case state::PuntKind::kNeighbour:
      return;  // has a ring of its own
    case state::PuntKind::kHello:
      return on_hello(punt, shard);
    case state::PuntKind::kBye:
      return on_bye(punt, shard);
    case state::PuntKind::kSessionEnded:
      return on_shard_ended(punt.session, shard);
    case state::PuntKind::kSubscribe:
      return on_subscribe(punt, shard);
  }
}

void Control::on_shard_ended(SessionId id, ShardId shard) {
  Session* session = registry_.on_shard_ended(id, shard);
  if (session == nullptr) return;
  neighbours_.release(std::exchange(session->neighbour, kNoNeighbour));
  if (session->pool != nullptr) pools_.leave(*std::exchange(session->pool, nullptr), shared_.workers[session->worker]);
}

// Judged from now on by what shards may begin to tell from now on.
void Control::set_paces() {
  const std::size_t peers = registry_.live().size(), shards = shared_.shards.size();
  worker_pace_.set(peers, shards, now_ns_);
  client_pace_.set(peers, shards, now_ns_);
  ack_pace_.set(peers, shards, std::max(worker_pace_.judged_ms(), client_pace_.judged_ms()), now_ns_);
  shared_.worker_heartbeat_ms.store(worker_pace_.told_ms(), std::memory_order_relaxed);
  shared_.client_heartbeat_ms.store(client_pace_.told_ms(), std::memory_order_relaxed);
  shared_.ack_delay_us.store(ack_pace_.told_us(), std::memory_order_relaxed);
  shared_.ack_wait_ms.store(ack_pace_.kept_ms(), std::memory_order_relaxed);
}

bool Control::post(std::function<void()> request) {
  const std::lock_guard lock(requests_mutex_);
  if (requests_.size() >= kRequestsMax) return false;
  requests_.push_back(std::move(request));
  return true;
}

void Control::run_requests() {
  std::vector<std::function<void()>> requests;
  {
    const std::lock_guard lock(requests_mutex_);
    requests.swap(requests_);
  }
  for (const auto& request : requests) request();
}

void Control::apply(std::shared_ptr<const Settings> settings) {
  ConfigDocument document;
  document.settings = std::move(settings);
  document.values = config_.values();
  std::erase_if(document.values, &ConfigValue::hot);
  config_.apply(std::move(document), {.by = "", .how = "settings", .unix_s = 0}, now_ns_);
  serve_config();
}

void Control::serve_config() {
  config_.tick(now_ns_);
  const ConfigGeneration& running = config_.running();
  if (running.number == config_generation_) return;
  config_generation_ = running.number;
  settings_ = running.document.settings;
  use_settings();
  log_.info(now_ns_, "configuration {}: {}{}{}", running.number, running.author.how,
            running.author.by.empty() ? "" : " by ", running.author.by);
}

// What is the same as before goes on as it was.
void Control::use_settings() {
  degradations_.set_routes(settings_->routes);
  use_routes();
  set_breaker(settings_->breaker);
  probes_.set(settings_->probe, now_ns_);
  use_tracing();
}

void Control::use_routes() { pools_.set_routes(degradations_.overlaid(settings_->routes), settings_->client); }

bool Control::force_degradation(const std::string& route, std::optional<DegradeWhen> when) {
  if (!degradations_.force(route, when)) return false;
  log_.info(now_ns_, "degradation of route {} set to {}", route, when ? name_of(*when) : "what is configured");
  use_routes();
  degradations_.look(pools_, now_ns_, log_);
  return true;
}

void Control::set_draining(bool on) {
  if (std::exchange(draining_, on) == on) return;
  state::Command command{};
  command.kind = on ? state::CommandKind::kDrain : state::CommandKind::kResume;
  for (auto& queue : queues_) queue.push(command);
  log_.info(now_ns_, "{}", on ? "draining: no new tasks or sessions" : "resumed: tasks and sessions are taken again");
}

void Control::measure(bool on) { shared_.perf_run.store(on ? ++perf_runs_ : 0, std::memory_order_relaxed); }

std::uint64_t Control::commands_dropped() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& queue : queues_) sum += queue.dropped();
  return sum;
}

}  // namespace mcplane::control
