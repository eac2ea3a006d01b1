// See cluster.h.
#include "cluster.h"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "control/control.h"
#include "control/workers/look_ahead.h"
#include "control/workers/orders.h"
#include "generated_frames.h"
#include "support/shard_rig.h"

namespace mcplane::perf {
namespace {

constexpr std::uint32_t kTtlMs = 60'000;         // nothing expires
constexpr std::uint32_t kQueuedMax = 32'768;     // of each shard; what does not fit is refused, and the run unstable
constexpr std::uint16_t kClientSlots = 4'096;    // of each client
constexpr std::uint32_t kBuffersBeside = 4'096;  // frames on the move, spares
constexpr std::uint32_t kNobody = 0xffffffffU;
constexpr std::uint64_t kNever = ~std::uint64_t{0};

// What happens next outside the broker. Tasks go by their place in the workload.
struct Event {
  enum class Kind : std::uint8_t { kRouteArrives, kTaskEnds, kResultArrives };

  std::uint64_t at_ns = 0;
  std::uint64_t number = 0;  // in order of making: ties go by it
  std::uint32_t task = 0;
  Kind kind = Kind::kRouteArrives;
  friend bool operator>(const Event& a, const Event& b) noexcept {
    return std::pair(a.at_ns, a.number) > std::pair(b.at_ns, b.number);
  }
};

// Runs at most `slots` at once, the rest in order.
struct Worker {
  const testing::Peer* peer = nullptr;
  std::uint32_t running = 0;
  std::deque<std::uint32_t> waiting;  // tasks
};

struct Client {
  testing::Bytes send_frame;
  std::vector<std::uint16_t> free_slots;  // the last one back is the next one used: its SEND acknowledges its DELIVER
  std::vector<std::uint32_t> sequences;   // by slot
  std::vector<std::uint32_t> tasks;       // by slot
};

// What its worker knows of a task.
struct Journey {
  std::uint64_t reached_worker_ns = 0, worker_ns = 0;  // when it came; how long it was there
  RunningTask running;
};

testing::RigOptions rig_options(const ClusterOptions& options) {
  testing::RigOptions rig;
  rig.shards = options.shards;
  rig.sessions = options.clients + options.workers;
  rig.workers = options.workers;
  rig.buffers = kQueuedMax + kBuffersBeside;
  const std::uint32_t clients = (options.clients + options.shards - 1) / options.shards;
  rig.shard.client_slots = clients * kClientSlots;
  rig.shard.max_queued = kQueuedMax;
  rig.shard.max_tasks = 2 * kQueuedMax;
  return rig;
}

class Cluster {
 public:
  Cluster(const ClusterOptions& options, std::span<const Work> work, std::uint32_t warm_up);
  ClusterRun run();

 private:
  using Kind = Event::Kind;

  void add_peers();
  void publish(state::Policy policy);
  void schedule(Kind kind, std::uint64_t at_ns, std::uint32_t task) { events_.push({at_ns, ++made_, task, kind}); }
  void step();
  void on_send(std::uint32_t task);
  void on_route(std::uint32_t task, std::uint64_t now_ns);
  void on_task_end(std::uint32_t task, std::uint64_t now_ns);
  void on_result(std::uint32_t task, std::uint64_t now_ns);
  void begin(std::uint32_t task, std::uint64_t now_ns) {
    schedule(Kind::kTaskEnds, now_ns + work_[task].service_ns, task);
  }
  Worker& worker_of(std::uint32_t task) { return workers_[SessionId{journeys_[task].running.worker_session}.index()]; }
  net::Packet allocate(std::uint32_t shard);
  void turn(std::uint32_t shard, net::Packet packet, std::uint64_t now_ns);
  void loop(std::uint32_t shard);
  void take(const net::Packet& packet);
  void take_answer(const wire::Header& deliver);
  void keep_pace();

  const ClusterOptions options_;
  const std::span<const Work> work_;
  const std::uint32_t warm_up_;
  testing::ShardRig rig_;
  Random random_;
  std::vector<testing::Bytes> result_frames_;  // by shard
  std::vector<Worker> workers_;
  std::vector<Client> clients_;
  std::vector<Journey> journeys_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t made_ = 0, next_pace_ns_ = 0;
  std::uint32_t next_ = 0;  // of work_, to be sent
  std::uint32_t delivered_ = 0;
  ClusterRun result_;
};

Cluster::Cluster(const ClusterOptions& options, std::span<const Work> work, std::uint32_t warm_up)
    : options_(options),
      work_(work),
      warm_up_(warm_up),
      rig_(rig_options(options)),
      random_(options.seed),
      workers_(options.workers),
      clients_(options.clients),
      journeys_(work.size()) {
  result_.sojourns_ns.reserve(work.size() - warm_up);
  rig_.loop_ns = 0;
  add_peers();
  publish(options.policy);
  rig_.settle();
}

// Workers first: the index of a session is then its number here.
void Cluster::add_peers() {
  for (Worker& worker : workers_) {
    worker.peer = &rig_.add_worker(options_.slots);
  }
  testing::FrameSpec result = rig_.spec_of(*workers_[0].peer, wire::FrameType::Result);
  for (std::uint32_t shard = 0; shard < options_.shards; ++shard) {
    result.destination.port = static_cast<std::uint16_t>(testing::kOurPort + shard);
    result_frames_.push_back(testing::build_frame(result));
  }
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    testing::PeerSpec spec;
    spec.slots = kClientSlots;
    spec.shard = ShardId(static_cast<std::uint8_t>(i % options_.shards));
    Client& client = clients_[i];
    client.send_frame = testing::build_frame(rig_.send_spec(rig_.add_client(spec), 0, 0, kTtlMs));
    client.sequences.resize(kClientSlots);
    client.tasks.resize(kClientSlots, kNobody);
    for (std::uint16_t slot = kClientSlots; slot > 0; --slot) client.free_slots.push_back(slot - 1);
  }
}

// The one place that a policy goes into the snapshot, and the orders it may need.
void Cluster::publish(state::Policy policy) {
  std::vector<control::OrderMember> members;
  for (const Worker& worker : workers_)
    members.push_back({worker.peer->worker, 1, mix64(raw(worker.peer->worker) + std::uint64_t{1})});
  control::TurnBuilder turns(members);
  CHECK(turns.step(control::TurnBuilder::kLengthMax));
  rig_.turns = std::make_shared<const state::WorkerOrder>(turns.take());
  control::MaglevBuilder hashed(std::move(members));
  while (!hashed.step(control::Control::kOrderStepsPerPoll)) continue;
  rig_.hashed = std::make_shared<const state::WorkerOrder>(hashed.take());
  rig_.rule.policy = policy;
  rig_.publish();
}

// As control does, of what shards have measured.
void Cluster::keep_pace() {
  next_pace_ns_ += control::Control::kPaceIntervalNs;
  double sum = 0;
  std::uint32_t held = 0;
  for (const Worker& worker : workers_) {
    const state::WorkerLine& line = rig_.shared.workers[worker.peer->worker];
    const std::uint32_t bound =
        options_.slots + control::look_ahead(options_.slots, line.pace, options_.look_ahead_max);
    if (bound != line.bound.load()) rig_.set_bound(*worker.peer, bound);
    sum += bound;
    held += line.outstanding();
  }
  rig_.shared.routes.read()->pool(0).load->held.store(held);
  result_.bound_mean = sum / static_cast<double>(workers_.size());
}

ClusterRun Cluster::run() {
  while (!result_.refused && next_ < work_.size()) step();
  result_.left = next_ - delivered_;
  while (!result_.refused && delivered_ < work_.size()) step();
  CHECK(rig_.check_counters().empty());
  return std::move(result_);
}

void Cluster::step() {
  const std::uint64_t send_ns = next_ == work_.size() ? kNever : work_[next_].sent_ns + options_.delay_ns;
  const std::uint64_t event_ns = events_.empty() ? kNever : events_.top().at_ns;
  if (std::min(send_ns, event_ns) >= next_pace_ns_) keep_pace();
  if (send_ns <= event_ns) return on_send(next_++);
  const Event event = events_.top();
  events_.pop();
  switch (event.kind) {
    case Kind::kRouteArrives:
      return on_route(event.task, event.at_ns);
    case Kind::kTaskEnds:
      return on_task_end(event.task, event.at_ns);
    case Kind::kResultArrives:
      return on_result(event.task, event.at_ns);
  }
}

void Cluster::on_send(std::uint32_t task) {
  const std::uint32_t number = work_[task].client;
  Client& client = clients_[number];
  if (client.free_slots.empty()) {
    result_.refused = true;
    return;
  }
  const std::uint16_t slot = client.free_slots.back();
  client.free_slots.pop_back();
  client.tasks[slot] = task;
  const std::uint32_t shard = number % options_.shards;
  net::Packet packet = allocate(shard);
  write_send(packet, client.send_frame, slot, ++client.sequences[slot]);
  std::memcpy(header_in(packet).mutable_task_id()->Data(), &task, sizeof task);
  turn(shard, std::move(packet), work_[task].sent_ns + options_.delay_ns);
}

void Cluster::on_route(std::uint32_t task, std::uint64_t now_ns) {
  journeys_[task].reached_worker_ns = now_ns;
  Worker& worker = worker_of(task);
  if (worker.running == options_.slots) return worker.waiting.push_back(task);
  ++worker.running;
  begin(task, now_ns);
}

void Cluster::on_task_end(std::uint32_t task, std::uint64_t now_ns) {
  journeys_[task].worker_ns = now_ns - journeys_[task].reached_worker_ns;
  schedule(Kind::kResultArrives, now_ns + options_.delay_ns, task);
  Worker& worker = worker_of(task);
  if (worker.waiting.empty()) {
    --worker.running;
    return;
  }
  begin(worker.waiting.front(), now_ns);
  worker.waiting.pop_front();
}

void Cluster::on_result(std::uint32_t task, std::uint64_t now_ns) {
  const Journey& journey = journeys_[task];
  const std::uint32_t shard = raw(journey.running.token.shard());
  net::Packet packet = allocate(shard);
  write_result(packet, result_frames_[shard], journey.running);
  header_in(packet).mutate_worker_us(static_cast<std::uint32_t>(journey.worker_ns / kNsPerUs));
  turn(shard, std::move(packet), now_ns);
}

net::Packet Cluster::allocate(std::uint32_t shard) {
  std::array<net::Packet, 1> packet;
  CHECK(rig_.nic(shard).allocate(packet));
  return std::move(packet[0]);
}

// The frame's own shard first; then those with tasks waiting, since a slot may have come back.
void Cluster::turn(std::uint32_t shard, net::Packet packet, std::uint64_t now_ns) {
  testing::refresh_checksums(packet.bytes());
  rig_.now_ns = now_ns;
  rig_.nic(shard).inject(std::move(packet));
  loop(shard);
  std::uint32_t next = options_.shards == 1 ? 0 : random_.below(options_.shards);
  for (std::uint32_t i = 0; i < options_.shards; ++i, next = next + 1 == options_.shards ? 0 : next + 1)
    if (rig_.in_state(state::TaskState::kQueued, next) > 0 && next != shard) loop(next);
}

void Cluster::loop(std::uint32_t shard) {
  rig_.step(ShardId(static_cast<std::uint8_t>(shard)));
  std::array<net::Packet, net::kBurstMax> packets;
  while (const std::size_t count = rig_.nic(shard).take_sent(packets)) {
    const auto sent = std::span(packets).first(count);
    for (const net::Packet& packet : sent) take(packet);
    rig_.nic(shard).free(sent);
  }
}

void Cluster::take(const net::Packet& packet) {
  const wire::Header& header = header_in(packet);
  if (header.type() == wire::FrameType::Deliver) return take_answer(header);
  if (header.type() == wire::FrameType::Reject) result_.refused = true;
  if (header.type() != wire::FrameType::Route) return;
  std::uint32_t task = 0;
  std::memcpy(&task, header.task_id()->Data(), sizeof task);
  journeys_[task].running = running_task(packet);
  schedule(Kind::kRouteArrives, rig_.now_ns + options_.delay_ns, task);
}

void Cluster::take_answer(const wire::Header& deliver) {
  Client& client = clients_[SessionId{deliver.session()}.index() - options_.workers];
  const std::uint16_t slot = deliver.slot();
  CHECK(client.sequences[slot] == deliver.sequence() && client.tasks[slot] != kNobody);
  const std::uint32_t task = std::exchange(client.tasks[slot], kNobody);
  client.free_slots.push_back(slot);
  ++delivered_;
  if (task >= warm_up_) result_.sojourns_ns.push_back(rig_.now_ns + options_.delay_ns - work_[task].sent_ns);
}

}  // namespace

ClusterRun run_cluster(const ClusterOptions& options, std::span<const Work> work, std::uint32_t warm_up) {
  return Cluster(options, work, warm_up).run();
}

}  // namespace mcplane::perf
