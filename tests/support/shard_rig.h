// Whole shards on in-memory NICs, as the appliance wires them: N core loops that share buffers, a hand-off mesh and
// state::Shared, sessions that come through the mailboxes as the control thread sends them, and a clock of the test's.
// Serves tests, benchmarks and simulation, so it asserts nothing: check_balance() says in words what does not add up.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "dataplane/core_loop.h"
#include "net/memory_nic.h"
#include "support/frame_builder.h"

namespace mcplane::testing {

struct RigOptions {
  static constexpr std::uint32_t kSessions = 256, kWorkers = 64;

  std::uint32_t shards = 1;
  std::uint32_t ports = 1;
  std::uint32_t queues = 0;            // of each port: shards from that number on have none and relay; 0: one a shard
  std::uint32_t sessions = kSessions;  // endpoints that can be added
  std::uint32_t workers = kWorkers;
  std::uint32_t buffers = 2048;        // over all shards
  std::uint32_t handoff_frames = 256;  // of each ring between two shards, relay rings too
  std::uint32_t tx_capacity = 0;       // of each NIC queue, until take_sent(); 0: no limit
  std::uint16_t burst = 32;
  std::uint16_t burst_at_ease = 0;  // 0: as many
  std::uint32_t boot_id = kSampleBoot;
  SipKey cookie_key{0x1234, 0x5678};
  bool traces = false;
  // ports: what each answers to; empty: all to our_addresses().
  dataplane::ShardOptions shard{
      .max_tasks = 1024, .max_queued = 512, .max_routes = 64, .client_slots = 16'384, .ports = {}};
};

// An endpoint as the rig registers it. MAC and addresses follow from its number.
struct PeerSpec {
  wire::Service service = wire::Service::kClient;
  Family family = Family::kIpv4;
  std::uint16_t vlan = wire::kNoVlan;
  PortId port{};
  ShardId shard{};            // the session's owner: where its frames go
  std::uint16_t slots = 256;  // a client's slot limit, or a worker's bound
  std::vector<std::string> actions = {"generate"}, models = {"llama"}, tags = {"gpu"};  // workers
};

struct Peer {
  PeerSpec spec;
  SessionId session;
  WorkerId worker = kNoWorker;
  std::unique_ptr<state::SkillBoard> skills;  // workers with several actions
  wire::MacAddress mac{};
  wire::Endpoint address;
  bool published = false;  // workers: in a pool from the next publish() on
};

// A frame a shard sent. Not copyable: `parsed` points into `bytes`.
struct Sent {
  Sent(Bytes frame, ShardId from, PortId out);
  Sent(Sent&&) noexcept = default;
  Sent& operator=(Sent&&) noexcept = default;

  const wire::Header& header() const { return parsed.header(); }
  wire::FrameType type() const { return header().type(); }
  wire::Endpoint to() const { return {parsed.lower.destination, parsed.lower.destination_port}; }

  Bytes bytes;
  ShardId shard{};  // whose NIC queue it left by
  PortId port{};
  wire::MacAddress mac{};  // destination
  Parsed parsed;           // as its addressee sees it; reason kNone when all lengths and checksums are right
};

// Every accepted task has ended once, or is in one state.
bool adds_up(const state::TaskCounters& books);

class ShardRig {
 public:
  using Loop = dataplane::CoreLoop<net::MemoryNic>;
  static constexpr std::uint32_t kSessions = RigOptions::kSessions, kWorkers = RigOptions::kWorkers;  // by default

  explicit ShardRig(const RigOptions& given = {});
  ~ShardRig();

  // Registers an endpoint as control does: worker line, InstallSession to its shard (a worker's to all). Takes effect
  // with the next step; a worker is routed to after publish(). The reference is good for the rig's life.
  Peer& add(const PeerSpec& spec);
  Peer& add_client(PeerSpec spec = {});
  Peer& add_worker(std::uint16_t slots, PeerSpec spec = {});
  // What holds for all routes, and the orders of workers in every pool, from the next publish() on.
  state::RouteRule rule;
  std::optional<state::Degradation> degradation;
  state::Limit client_limit;
  std::vector<std::string> actions;  // that have books of their own
  std::shared_ptr<const state::WorkerOrder> turns, hashed;
  // Puts the published workers into pools by capability set, and makes a snapshot of these.
  void publish();
  // Makes a tree of these, as control does of its own: by session index and number, topic and group.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::string, std::string>> subscriptions;
  void publish_topics();
  // Stops new tasks to a worker; its pool is in the next snapshot only if others are in it.
  void withdraw(Peer& worker);
  // As control takes it up again, and changes its bound.
  void readmit(Peer& worker);
  void set_bound(const Peer& worker, std::uint32_t bound);
  // EndSession to every shard that knows it.
  void end_session(const Peer& peer);
  void command(ShardId shard, const state::Command& command);

  // Sound frames of a peer, to be broken by the test. Payload and table are sample_spec()'s.
  FrameSpec spec_of(const Peer& peer, wire::FrameType type) const;
  FrameSpec send_spec(const Peer& client, std::uint16_t slot, std::uint32_t sequence,
                      std::uint32_t ttl_ms = 1000) const;
  // What a worker answers to a ROUTE, and to a CANCEL (or to the ROUTE that is cancelled).
  FrameSpec result_spec(const Peer& worker, const wire::Header& route, std::string_view text = "done") const;
  // What a client says to a DELIVER or a late REJECT, and a worker to a ROUTE whose RESULT takes longer.
  FrameSpec outcome_ack_spec(const Peer& client, const wire::Header& outcome) const;
  FrameSpec route_ack_spec(const Peer& worker, const wire::Header& route, wire::Reason reason = wire::Reason::Ok) const;
  FrameSpec cancel_spec(const Peer& client, std::uint16_t slot, std::uint32_t sequence) const;
  FrameSpec publish_spec(const Peer& peer, std::string_view topic, std::string_view payload = "news") const;
  // The SEND that a RESEND asks for.
  FrameSpec pulled_spec(const Peer& client, const wire::Header& resend, std::uint32_t ttl_ms = 1000) const;
  FrameSpec stop_spec(const Peer& worker, const wire::Header& cancel, wire::Reason reason) const;

  // Puts a frame on the wire towards the peer's shard (its NIC queue, as if steered there; a relaying shard's
  // sender's).
  void send(const FrameSpec& spec, PortId port = {});
  void inject(ShardId shard, std::span<const std::byte> frame, PortId port = {});

  // One loop of every shard, with several ports one for each. Returns whether any did something.
  bool step();
  bool step(ShardId shard);  // one loop
  void advance_ms(std::uint64_t ms) { now_ns += ms * kNsPerMs; }
  // Steps until nothing moves, the clock standing still.
  void settle();

  // What was sent since the last call, shard by shard in order.
  std::vector<Sent> take_sent();
  // Neighbour frames first.
  std::vector<state::Punt> take_punts(ShardId shard = {});

  // What is wrong with the counters against each other, the tables and the workers' lines; empty when nothing is.
  std::string check_counters();
  // What is wrong with the workers' indexes. settled: commands were carried out, so that they say what control said.
  std::string check_indexes(bool settled);
  // The same after settling, and that no buffer is lost. Takes what was sent.
  std::string check_balance();

  // The shard whose NIC queue serves this one.
  std::uint32_t sender_of(std::uint32_t shard) const { return shard % queues_; }
  dataplane::Shard& shard(std::uint32_t index = 0) { return *shards_[index]; }
  state::ShardCounters& counters(std::uint32_t index = 0) { return shards_[index]->counters; }
  std::uint64_t dropped(DropReason reason, std::uint32_t index = 0) {
    return counters(index).dropped[static_cast<std::size_t>(reason)].read();
  }
  // Tasks in that state.
  std::uint64_t in_state(state::TaskState state, std::uint32_t index = 0) {
    return counters(index).in_state[raw(state)].read();
  }
  std::uint32_t outstanding(const Peer& worker) { return shared.workers[worker.worker].outstanding(); }
  net::MemoryNic& nic(std::uint32_t shard = 0, std::uint32_t port = 0) { return *nics_[shard][port]; }

  const RigOptions options;
  state::Shared shared;
  std::uint64_t now_ns = 0;
  std::uint64_t loop_ns = 5'000;  // between a loop's two clock readings

 private:
  FrameSpec ack_spec(const Peer& peer, const wire::Header& about, wire::FrameType answers, wire::Reason reason) const;
  void check_shard(std::uint32_t index, std::string& wrong);
  void refresh(const Peer& worker);
  void count_admitting();

  std::uint32_t queues_;
  dataplane::HandoffMesh mesh_, relay_mesh_;
  std::vector<std::vector<std::unique_ptr<net::MemoryNic>>> nics_;  // by shard, by port
  std::vector<std::unique_ptr<dataplane::Shard>> shards_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<Peer>> peers_;
  using Names = std::vector<std::string>;
  std::map<std::tuple<Names, Names, Names, bool>, std::shared_ptr<state::LoadIndex>> pools_;  // the last: shadow
  std::vector<std::uint32_t> client_slots_used_;                                              // by shard
  std::uint32_t workers_used_ = 0;
  std::uint64_t frames_taken_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace mcplane::testing
