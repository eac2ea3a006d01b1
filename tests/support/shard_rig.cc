// Registration mirrors the control thread's order: line, sessions, snapshot. Every frame that leaves a shard is parsed
// here as its addressee would, checksums included.
#include "support/shard_rig.h"

#include "base/check.h"
#include "wire/layout.h"

namespace mcplane::testing {
namespace {

constexpr std::uint32_t kGeneration = 7;

state::SharedOptions shared_options(const RigOptions& given) {
  return {.shards = given.shards,
          .sessions = given.sessions,
          .workers = given.workers,
          .boot_id = given.boot_id,
          .cookie_key = given.cookie_key,
          .traces = given.traces};
}

// Addresses that make parse() take a frame as its addressee does.
wire::LocalAddresses addressee_of(std::span<const std::byte> frame, const wire::MacAddress& mac) {
  wire::LocalAddresses local;
  local.mac = mac;
  local.count = 1;
  const bool tagged = wire::load_be16(frame.data() + 12) == wire::kEtherVlan;
  const std::size_t l3 = wire::kEthernetBytes + (tagged ? wire::kVlanBytes : 0);
  const bool v4 = wire::load_be16(frame.data() + l3 - 2) == wire::kEtherIpv4;
  if (frame.size() >= l3 + wire::kIpv6Bytes)
    local.ips[0] = v4 ? wire::Prefix{wire::load_ipv4(frame.data() + l3 + 16), 24}
                      : wire::Prefix{wire::load_ipv6(frame.data() + l3 + 24), 64};
  return local;
}

wire::Endpoint numbered_address(Family family, std::size_t number) {
  constexpr std::size_t kPorts = 20'000;
  wire::Endpoint endpoint = peer_endpoint(family, static_cast<std::uint16_t>(kPeerPort + number % kPorts));
  endpoint.ip.bytes[14] = static_cast<std::uint8_t>(number / kPorts);
  endpoint.ip.bytes[15] = static_cast<std::uint8_t>(10 + number % 200);
  return endpoint;
}

NeighbourId neighbour_of(const Peer& peer) { return NeighbourId{peer.session.index() + 1}; }

state::SessionRecord record_of(const Peer& peer, const wire::Endpoint& ours) {
  state::SessionRecord record;
  record.id = peer.session;
  record.service = peer.spec.service;
  record.port = peer.spec.port;
  record.worker = peer.worker;
  record.worker_slots = peer.worker == kNoWorker ? std::uint16_t{0} : peer.spec.slots;
  record.peer = peer.address;
  record.neighbour = neighbour_of(peer);
  record.lower = wire::make_lower_headers(kOurMac, peer.mac, peer.spec.vlan, ours, peer.address);
  return record;
}

}  // namespace

Sent::Sent(Bytes frame, ShardId from, PortId out)
    : bytes(std::move(frame)), shard(from), port(out), mac(wire::load_mac(bytes.data())) {
  parsed = parse(bytes, addressee_of(bytes, mac));
}

ShardRig::ShardRig(const RigOptions& given)
    : options(given),
      shared(shared_options(given)),
      queues_(given.queues == 0 ? given.shards : given.queues),
      mesh_(given.shards, given.handoff_frames),
      relay_mesh_(given.shards, given.handoff_frames) {
  std::vector<wire::LocalAddresses> ours = given.shard.ports;
  if (ours.empty()) ours.assign(given.ports, our_addresses());
  nics_.resize(given.shards);
  client_slots_used_.resize(given.shards);
  const dataplane::Burst burst{.full = given.burst,
                               .at_ease = given.burst_at_ease != 0 ? given.burst_at_ease : given.burst};
  for (std::uint32_t i = 0; i < given.shards; ++i) {
    std::vector<net::MemoryNic*> queues;
    for (std::uint32_t port = 0; port < given.ports; ++port) {
      const net::MemoryNic::Options nic{
          .buffers = given.buffers, .port = PortId(static_cast<std::uint8_t>(port)), .tx_capacity = given.tx_capacity};
      nics_[i].push_back(nics_[0].empty() ? std::make_unique<net::MemoryNic>(nic)
                                          : std::make_unique<net::MemoryNic>(nic, *nics_[0][0]));
      queues.push_back(i < queues_ ? nics_[i].back().get() : nullptr);
    }
    dataplane::ShardOptions shard = given.shard;
    shard.id = ShardId(static_cast<std::uint8_t>(i));
    shard.base_port = kOurPort;
    shard.ports = ours;
    shards_.push_back(std::make_unique<dataplane::Shard>(shared, mesh_, shard));
    dataplane::Relay<net::MemoryNic> relay;
    if (queues_ < given.shards)
      relay = {.mesh = &relay_mesh_,
               .senders = std::vector(given.ports, ShardId(static_cast<std::uint8_t>(sender_of(i)))),
               .pool = nics_[i][0].get()};
    loops_.push_back(std::make_unique<Loop>(*shards_[i], queues, burst, relay));
  }
  now_ns = given.shard.start_ns;
}

ShardRig::~ShardRig() {
  for (auto& loop : loops_) loop->finish();
}

Peer& ShardRig::add(const PeerSpec& spec) {
  const std::size_t number = peers_.size();
  CHECK(number < options.sessions);
  Peer& peer = *peers_.emplace_back(std::make_unique<Peer>());
  peer.spec = spec;
  peer.session = SessionId::make(static_cast<std::uint32_t>(number), kGeneration);
  peer.mac = {0x02,
              0,
              static_cast<std::uint8_t>(number >> 16),
              static_cast<std::uint8_t>(number >> 8),
              0x01,
              static_cast<std::uint8_t>(number)};
  peer.address = numbered_address(spec.family, number);
  shared.neighbours.set(neighbour_of(peer), peer.mac);
  const bool worker = wire::is_worker(spec.service);
  if (worker) {
    CHECK(workers_used_ < options.workers);
    peer.worker = WorkerId{workers_used_++};
    peer.published = true;
    state::WorkerLine& line = shared.workers[peer.worker];
    line.bound.store(spec.slots);
    line.admits.store(1);
    const auto skills = static_cast<std::uint32_t>(spec.actions.size());
    if (skills > 1) peer.skills = std::make_unique<state::SkillBoard>(skills, options.shards);
    line.skills = peer.skills.get();
    line.session.store(peer.session.value);
  }
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    if (!worker && i != raw(spec.shard)) continue;
    state::Command install{};
    install.kind = state::CommandKind::kInstallSession;
    install.record = record_of(peer, our_endpoint(spec.family, static_cast<std::uint16_t>(kOurPort + i)));
    if (wire::is_client(spec.service) && i == raw(spec.shard)) {
      install.record.slot_limit = spec.slots;
      install.record.client_slot_base = client_slots_used_[i];
      client_slots_used_[i] += spec.slots;
      CHECK(client_slots_used_[i] <= options.shard.client_slots);
    }
    command(ShardId(static_cast<std::uint8_t>(i)), install);
  }
  return peer;
}

Peer& ShardRig::add_client(PeerSpec spec) {
  spec.service = wire::Service::kClient;
  return add(spec);
}

Peer& ShardRig::add_worker(std::uint16_t slots, PeerSpec spec) {
  spec.service = wire::Service::kWorker;
  spec.slots = slots;
  return add(spec);
}

void ShardRig::publish() {
  for (const auto& peer : peers_) {
    if (!peer->published || shared.workers[peer->worker].leaf != nullptr) continue;
    auto& index = pools_[{peer->spec.actions, peer->spec.models, peer->spec.tags, wire::is_shadow(peer->spec.service)}];
    if (index == nullptr) index = std::make_shared<state::LoadIndex>();
    index->place(shared.workers[peer->worker], peer->worker);
    refresh(*peer);
  }
  count_admitting();
  auto snapshot = std::make_unique<state::RouteSnapshot>();
  snapshot->generation = ++generation_;
  const auto intern = [&](const Names& names) {
    std::vector<state::NameId> ids;
    for (const auto& name : names) ids.push_back(snapshot->intern(name));
    return ids;
  };
  for (const auto& [set, index] : pools_) {
    if (index->admitting.load() == 0) continue;
    state::Pool pool;
    pool.actions = intern(std::get<0>(set));
    pool.models = intern(std::get<1>(set));
    pool.tags = intern(std::get<2>(set));
    std::ranges::sort(pool.models);
    std::ranges::sort(pool.tags);
    pool.shadow = std::get<3>(set);
    pool.load = index;
    pool.weight = index->admitting.load();
    pool.key = mix64(snapshot->pools().size());
    pool.turns = turns;
    pool.hashed = hashed;
    snapshot->add_pool(std::move(pool));
  }
  rule.degradation = degradation ? snapshot->add_degradation(*degradation) : state::kNoDegradation;
  snapshot->add_rule("*", "", rule);
  snapshot->client_limit = client_limit;
  snapshot->set_actions(actions);
  shared.routes.publish(std::move(snapshot));
}

void ShardRig::publish_topics() {
  auto tree = std::make_unique<state::TopicTree>(options.cookie_key);
  for (const auto& [name, wanted] : subscriptions) {
    const auto [index, number] = name;
    const Peer& peer = *peers_[index];
    const auto port = static_cast<std::uint16_t>(kOurPort + raw(peer.spec.shard));
    if (tree->find(peer.session) == nullptr)
      tree->add_subscriber(record_of(peer, our_endpoint(peer.spec.family, port)));
    tree->add(wanted.first, wanted.second, {peer.session, number});
  }
  shared.publish_topics(subscriptions.empty() ? nullptr : std::move(tree));
}

void ShardRig::count_admitting() {
  for (const auto& pool : pools_) {
    pool.second->admitting.store(0);
    pool.second->trusted.store(0);
  }
  for (const auto& peer : peers_)
    if (peer->published && shared.workers[peer->worker].leaf != nullptr) {
      ++shared.workers[peer->worker].leaf->index->admitting;
      ++shared.workers[peer->worker].leaf->index->trusted;
    }
}

void ShardRig::refresh(const Peer& worker) {
  state::Command refresh{};
  refresh.kind = state::CommandKind::kRefreshWorker;
  refresh.record.worker = worker.worker;
  command(ShardId{}, refresh);
}

void ShardRig::withdraw(Peer& worker) {
  worker.published = false;
  shared.workers[worker.worker].admits.store(0);
  refresh(worker);
  count_admitting();
}

void ShardRig::readmit(Peer& worker) {
  worker.published = true;
  shared.workers[worker.worker].admits.store(1);
  refresh(worker);
}

void ShardRig::set_bound(const Peer& worker, std::uint32_t bound) {
  shared.workers[worker.worker].bound.store(bound);
  refresh(worker);
}

void ShardRig::end_session(const Peer& peer) {
  state::Command end{};
  end.kind = state::CommandKind::kEndSession;
  end.record.id = peer.session;
  for (std::uint32_t i = 0; i < options.shards; ++i)
    if (peer.worker != kNoWorker || i == raw(peer.spec.shard)) command(ShardId(static_cast<std::uint8_t>(i)), end);
}

void ShardRig::command(ShardId shard, const state::Command& command) {
  auto& mailbox = shared.shards[raw(shard)]->mailbox.to_shard;
  if (mailbox.try_push(command)) return;
  step(shard);  // of thousands, the shard carries out some first
  CHECK(mailbox.try_push(command));
}

void ShardRig::send(const FrameSpec& spec, PortId port) {
  const auto shard = static_cast<std::uint16_t>(spec.destination.port - kOurPort);
  const std::uint32_t queue = shard < options.shards ? sender_of(shard) : 0;
  inject(ShardId(static_cast<std::uint8_t>(queue)), build_frame(spec), port);
}

void ShardRig::inject(ShardId shard, std::span<const std::byte> frame, PortId port) {
  CHECK(nics_[raw(shard)][raw(port)]->inject(frame));
}

bool ShardRig::step(ShardId shard) {
  std::uint64_t reading = now_ns;
  return loops_[raw(shard)]->run_once([&] { return std::exchange(reading, reading + loop_ns); });
}

bool ShardRig::step() {
  bool worked = false;
  for (std::uint32_t turn = 0; turn < options.ports; ++turn)
    for (std::uint32_t i = 0; i < options.shards; ++i) worked |= step(ShardId(static_cast<std::uint8_t>(i)));
  return worked;
}

void ShardRig::settle() {
  constexpr int kIdle = 8, kLoopsMax = 100'000;  // a loop without frames may still move timers or a sweep
  int idle = 0;
  for (int loop = 0; loop < kLoopsMax && idle < kIdle; ++loop) idle = step() ? 0 : idle + 1;
}

std::vector<Sent> ShardRig::take_sent() {
  std::vector<Sent> sent;
  for (std::uint32_t i = 0; i < options.shards; ++i)
    for (std::uint32_t port = 0; port < options.ports; ++port)
      for (Bytes& frame : nics_[i][port]->take_sent_bytes())
        sent.emplace_back(std::move(frame), ShardId(static_cast<std::uint8_t>(i)),
                          PortId(static_cast<std::uint8_t>(port)));
  frames_taken_ += sent.size();
  return sent;
}

std::vector<state::Punt> ShardRig::take_punts(ShardId shard) {
  std::vector<state::Punt> punts;
  state::Punt punt;
  state::Mailbox& mailbox = shared.shards[raw(shard)]->mailbox;
  for (auto* ring : {&mailbox.neighbours, &mailbox.to_control})
    while (ring->pop({&punt, 1}) == 1) punts.push_back(punt);
  return punts;
}

}  // namespace mcplane::testing
