// See broker.h. ShardRig is the appliance's wiring; control registers sessions here as in production.
#include "broker.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "support/allocations.h"

namespace mcplane::sim {
namespace {

std::vector<wire::LocalAddresses> ports_of(const Sizes& sizes) {
  return {broker_addresses().begin(), broker_addresses().begin() + sizes.ports};
}

std::uint32_t max_clients(const Sizes& sizes) { return 2 * sizes.clients; }

testing::RigOptions rig_options(const Sizes& sizes, std::size_t cache_bytes, std::uint32_t life, std::uint64_t now_ns) {
  testing::RigOptions rig;
  rig.shards = sizes.shards;
  rig.ports = sizes.ports;
  rig.queues = sizes.queues;
  rig.buffers = sizes.buffers;
  rig.handoff_frames = sizes.handoff_frames;
  rig.tx_capacity = sizes.tx_capacity;
  rig.burst = sizes.burst;
  rig.boot_id += 2 * life;
  rig.cookie_key = {0x1234 + life, 0x5678};
  rig.shard.max_tasks = sizes.max_tasks;
  rig.shard.max_queued = sizes.max_queued;
  rig.shard.max_routes = sizes.max_routes;
  rig.shard.client_slots = max_clients(sizes) * sizes.client_slots;
  rig.shard.start_ns = now_ns;
  rig.shard.cache_bytes = cache_bytes;
  rig.shard.ports = ports_of(sizes);
  return rig;
}

control::ControlOptions control_options(const Options& options, const std::array<bool, 2>& link_up, Prober& prober) {
  control::ControlOptions control;
  control.base_port = testing::kOurPort;
  control.heartbeat_interval_ms = options.load.worker_heartbeat_ms;
  control.client_heartbeat_interval_ms = options.load.client_heartbeat_ms;
  control.retry_after_ms = 100;
  control.max_sessions = testing::ShardRig::kSessions;
  control.max_clients = max_clients(options.sizes);
  control.client_slots = options.sizes.client_slots;
  control.look_ahead_max = Broker::kLookAheadMax;
  control::Settings settings;
  settings.breaker = options.breaker;
  settings.probe.interval_ns = options.load.probe_interval_ns;
  settings.probe.timeout_ns = options.load.probe_interval_ns / 2;
  if (options.load.probe_interval_ns > 0) control.prober = &prober;
  if (!options.degrade.chain.empty())
    settings.routes = {{.action = "*", .model = "", .limits = {}, .degrade = options.degrade}};
  if (options.load.mirror > 0 && settings.routes.empty()) settings.routes.emplace_back().action = "*";
  for (control::RouteSettings& route : settings.routes) route.mirror = options.load.mirror;
  control.config.settings = std::make_shared<const control::Settings>(settings);
  control.hooks.link_up = [&link_up](PortId port) { return link_up[raw(port)]; };
  return control;
}

std::uint64_t all_dropped(const state::ShardCounters& counters) {
  return std::accumulate(counters.dropped.begin(), counters.dropped.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const state::Counter& counter) { return sum + counter.read(); });
}

}  // namespace

Broker::Broker(const Options& options, std::uint32_t life, std::uint64_t now_ns)
    : sizes_(options.sizes),
      rig_(
          rig_options(options.sizes, options.load.questions > 0 ? dataplane::AnswerCache::kBytesMin : 0, life, now_ns)),
      prober_(options.seed),
      control_(rig_.shared, control_options(options, link_up, prober_), ports_of(options.sizes),
               Random(~options.seed - life)),
      started_(options.sizes.shards),
      outstanding_(rig_.shared.workers.capacity()) {}

std::uint32_t Broker::inject(PortId port, std::uint16_t destination_port, std::uint32_t flow,
                             std::span<const std::byte> frame) {
  const auto shard = static_cast<std::uint32_t>(destination_port - testing::kOurPort);
  const bool steered = sizes_.steered && shard < sizes_.shards;
  const std::uint32_t core = (steered ? shard : flow * 0x9e3779b1U >> 16) % sizes_.queues;
  if (!rig_.nic(core, raw(port)).inject(frame)) return kNobody;
  ++injected_;
  return core;
}

bool Broker::step(std::uint32_t core, std::uint64_t now_ns) {
  rig_.now_ns = now_ns;
  const std::size_t before = heap_allocations();
  const bool worked = rig_.step(ShardId(static_cast<std::uint8_t>(core)));
  if (started_[core]) allocations_ += heap_allocations() - before;
  started_[core] = true;
  return worked;
}

bool Broker::poll(std::uint64_t now_ns, const std::array<bool, 2>& cut_off) {
  const control::Registry& registry = control_.registry();
  cut_off_.clear();
  for (std::size_t port = 0; port < sizes_.ports; ++port) {
    if (!cut_off[port] || control_.links().up(PortId(static_cast<std::uint8_t>(port)))) continue;
    for (const std::uint32_t index : registry.live()) {
      const control::Session& session = registry.at(index);
      if (raw(session.path.port) == port && session.phase != control::Phase::kDraining) cut_off_.push_back(session.id);
    }
  }
  prober_.set_time(now_ns);
  control_.poll(now_ns);
  return std::ranges::all_of(cut_off_, [this](SessionId session) { return lives(session); });
}

std::string Broker::check_step(std::uint32_t core) {
  const state::ShardCounters& c = rig_.counters(core);
  if (c.received.read() !=
      c.forwarded.read() + c.handed_off.read() + c.punted.read() + c.completed.read() + all_dropped(c))
    return "12 every frame is counted once: shard " + std::to_string(core);
  if (!testing::adds_up(c) || !testing::adds_up(c.shadow) || !testing::adds_up(c.mirror))
    return "4 every task is in one state: shard " + std::to_string(core);
  for (std::uint32_t i = 0; i < rig_.shared.workers.capacity(); ++i) {
    const state::WorkerLine& line = rig_.shared.workers[WorkerId{i}];
    // A bound that shrank below what is outstanding lets it fall, not rise.
    const std::uint32_t before = std::exchange(outstanding_[i], line.outstanding());
    if (line.outstanding() > std::max(line.bound.load(), before))
      return "5 outstanding within bound: worker line " + std::to_string(i) + " holds " +
             std::to_string(line.outstanding()) + " of " + std::to_string(line.bound.load());
  }
  if (rig_.nic().free_errors() != 0) return "10 buffers: one was freed or sent by who does not hold it";
  if (allocations_ != 0) return "11 no heap allocation: shard " + std::to_string(core);
  return {};
}

bool Broker::admits(SessionId worker) {
  for (std::uint32_t i = 0; i < rig_.shared.workers.capacity(); ++i) {
    const state::WorkerLine& line = rig_.shared.workers[WorkerId{i}];
    if (line.session.load() == worker.value) return line.admits.load() != 0;
  }
  return false;
}

bool Broker::lives(SessionId session) const {
  const control::Registry& registry = control_.registry();
  return session.value != 0 &&
         std::ranges::any_of(registry.live(), [&](std::uint32_t index) { return registry.at(index).id == session; });
}

std::string Broker::check_gate(const wire::Header& route, std::uint64_t now_ns) {
  const SessionId worker{route.worker_session()};
  const TaskToken token = wire::token_of(route);
  const control::Registry& registry = control_.registry();
  const auto live =
      std::ranges::find_if(registry.live(), [&](std::uint32_t index) { return registry.at(index).id == worker; });
  if (live == registry.live().end() || registry.at(*live).phase != control::Phase::kUp) return {};
  const WorkerId id = registry.at(*live).worker;
  const SkillId skill = rig_.shard(raw(token.shard())).tasks[token.index()].skill;
  if (std::string wrong = check_skill(id, skill, now_ns); !wrong.empty()) return wrong;
  const control::Breaker& breaker = control_.breakers()[id];
  const control::BreakerState state = breaker.state();
  if (state == control::BreakerState::kOpen && breaker.since_ns() < now_ns) return "a ROUTE to a worker that is out";
  if (state != control::BreakerState::kHalfOpen) return {};
  ++probes_;
  const state::WorkerLine& line = rig_.shared.workers[id];
  const state::WorkerLoad load{line.load.load()};
  const std::uint64_t permits = line.in_round(load.round()) ? load.permits() : 0;
  const control::BreakerSettings& settings = control_.breakers().settings;
  const std::uint64_t succeeded = settings.probes - breaker.permits(settings);
  const std::uint64_t running = running_in_round(id, {});
  return permits + running + succeeded <= breaker.permits_given()
             ? ""
             : "more probes run, may run and succeeded than were given";
}

// Of one action, while it alone is out.
std::string Broker::check_skill(WorkerId id, SkillId skill, std::uint64_t now_ns) {
  const state::WorkerLine& line = rig_.shared.workers[id];
  if (!line.is_out(skill)) return {};
  const control::Breaker& breaker = control_.breakers()[{id, skill}];
  if (breaker.state() == control::BreakerState::kOpen && breaker.since_ns() < now_ns)
    return "a ROUTE to a worker whose action is out";
  if (breaker.state() != control::BreakerState::kHalfOpen) return {};
  ++skill_probes_;
  const control::BreakerSettings& settings = control_.breakers().settings;
  return running_in_round(id, skill) <= settings.probes ? "" : "more probes of an action run than may";
}

// Tasks that the worker has, of the round of its gate.
std::uint64_t Broker::running_in_round(WorkerId id, std::optional<SkillId> skill) {
  const state::WorkerLine& line = rig_.shared.workers[id];
  std::uint64_t running = 0;
  for (std::uint32_t shard = 0; shard < sizes_.shards; ++shard) {
    dataplane::TaskTable& tasks = rig_.shard(shard).tasks;
    for (std::uint32_t i = 0; i < tasks.touched(); ++i)
      if (tasks[i].worker == id && (!skill || tasks[i].skill == *skill) && line.in_round(tasks[i].round) &&
          state::holds_worker_slot(tasks[i].state))
        ++running;
  }
  return running;
}

bool Broker::somebody_in(const std::string& action, const std::string& model, std::uint64_t now_ns) const {
  // Cores read what control published in their next loop, and control publishes every few ms.
  constexpr std::uint64_t kKnownNs = 50 * kNsPerMs;
  const control::Registry& registry = control_.registry();
  return std::ranges::any_of(registry.live(), [&](std::uint32_t index) {
    const control::Session& session = registry.at(index);
    if (!session.is_worker() || wire::is_shadow(session.hello.service) || session.phase != control::Phase::kUp ||
        session.up_at_ns + kKnownNs > now_ns || !session.pool->published)
      return false;
    const auto& actions = session.hello.actions;
    const auto skill = std::ranges::find(actions, action);
    if (skill == actions.end()) return false;
    const auto trusted = [&](const control::BreakerId& id) {
      const control::Breaker& breaker = control_.breakers()[id];
      return breaker.state() == control::BreakerState::kClosed && breaker.since_ns() + kKnownNs <= now_ns;
    };
    const WorkerId worker = session.worker;
    return trusted(worker) && trusted({worker, static_cast<SkillId>(skill - actions.begin())}) &&
           (model.empty() || std::ranges::binary_search(session.hello.models, model));
  });
}

std::uint64_t Broker::degraded(wire::Substitute kind) {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < sizes_.shards; ++i) sum += rig_.counters(i).degraded[raw(kind)].read();
  return sum;
}

bool Broker::any_out() const {
  return std::ranges::any_of(control_.breakers().not_closed(), [this](const control::BreakerId& id) {
    return control_.breakers()[id].state() == control::BreakerState::kOpen;
  });
}

bool Broker::any_down() const {
  return std::ranges::any_of(control_.breakers().not_closed(), [this](const control::BreakerId& id) {
    return control_.breakers()[id].health() == control::Health::kDown;
  });
}

std::uint64_t Broker::dropped(DropReason reason) {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < sizes_.shards; ++i) sum += rig_.dropped(reason, i);
  return sum;
}

std::uint64_t Broker::not_taken() {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < sizes_.shards; ++i) sum += rig_.counters(i).sent_dropped.read();
  return sum;
}

bool Broker::knows(SessionId session, const wire::Id16& instance) const {
  const control::Registry& registry = control_.registry();
  return std::ranges::any_of(registry.live(), [&](std::uint32_t index) {
    const control::Session& live = registry.at(index);
    return live.id == session && live.hello.instance == instance;
  });
}

bool Broker::idle() {
  for (std::uint32_t i = 0; i < sizes_.shards; ++i) {
    const state::ShardCounters& c = rig_.counters(i);
    if (c.in_table() + c.shadow.in_table() + c.mirror.in_table() != 0) return false;
  }
  return true;
}

void Broker::exhaust_buffers() {
  std::array<net::Packet, 1> packet;
  withheld_.reserve(rig_.nic().buffers_total());
  while (rig_.nic().allocate(packet)) withheld_.push_back(std::move(packet[0]));
}

void Broker::release_buffers() {
  rig_.nic().free(withheld_);
  withheld_.clear();
}

std::uint64_t Broker::accepted(bool shadow) {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < sizes_.shards; ++i)
    sum += (shadow ? rig_.counters(i).shadow : rig_.counters(i)).accepted.read();
  return sum;
}

std::uint64_t Broker::copied() {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < sizes_.shards; ++i) sum += rig_.counters(i).mirror.accepted.read();
  return sum;
}

std::string Broker::check_empty() {
  rig_.settle();
  for (std::uint32_t i = 0; i < sizes_.queues; ++i) take_sent(i, [](PortId, std::span<const std::byte>) {});
  std::string wrong = check_all();
  const auto expect = [&wrong](const char* what, std::uint64_t got, std::uint64_t want) {
    if (got != want) wrong += std::string(what) + ": " + std::to_string(got) + " but " + std::to_string(want) + "\n";
  };
  std::uint64_t received = 0, sent = 0, kept = 0, tasks = 0, slots = 0;
  for (std::uint32_t i = 0; i < sizes_.shards; ++i) {
    const state::ShardCounters& c = rig_.counters(i);
    received += c.received.read() - c.handed_off.read();
    sent += c.sent.read();
    kept += rig_.shard(i).held.size() + rig_.shard(i).spares.items().size();
    tasks += rig_.shard(i).tasks.in_use();
  }
  for (std::uint32_t i = 0; i < rig_.shared.workers.capacity(); ++i)
    slots += rig_.shared.workers[WorkerId{i}].outstanding();
  wrong += rig_.check_indexes(true);
  expect("4 task slots in use", tasks, 0);
  expect("8 worker slots taken", slots, 0);
  expect("10 buffers free and kept, and all buffers", rig_.nic().buffers_free() + kept, rig_.nic().buffers_total());
  expect("12 frames received, and put on the wire to us", received, injected_);
  expect("12 frames sent, and seen on the wire", sent, taken_);
  return wrong;
}

void Broker::sabotage(Sabotage what) {
  std::array<net::Packet, 1> packet;
  if (what == Sabotage::kWithholdBuffer) rig_.nic().allocate(packet);
  if (what == Sabotage::kStealSlot) rig_.shared.workers[WorkerId{0}].load.fetch_add(1);
  if (what == Sabotage::kMiscountFrame) rig_.counters(0).received.add();
}

}  // namespace mcplane::sim
