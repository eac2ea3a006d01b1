// One seeded scheduler on one thread over virtual time: core loops, control's polls, the engines' timers, services and
// frames under way are events in one queue, and nothing in the world knows another clock. Equal options, equal runs.
//
// world.cc: the queue, cores and control.  crossing.cc: frames under way.  peers.cc: clients and workers.
// mishaps.cc: what befalls them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "broker.h"
#include "client/worker_engine.h"
#include "coverage.h"
#include "ledger.h"
#include "network.h"
#include "newsroom.h"
#include "trace.h"

namespace mcplane::sim {

class World {
 public:
  World(const Options& options, bool print);

  // Runs events until `done` or that time, or until an invariant is broken. Returns whether it was `done`.
  bool run_until(std::uint64_t until_ns, const std::function<bool()>& done);
  // Ends every fault and brings everybody back.
  void heal();
  // From now on clients send nothing by themselves.
  // Clients send, and the network is as bad as it was drawn; so it is from the start unless something is promised.
  void start_sending();
  void stop_sending() { sending_ = false; }
  // Each client may have one task of the first selector under way until that many were sent in all.
  void send_one_by_one(std::size_t total) { one_by_one_ = total; }
  bool everybody_registered() const;
  // No task anywhere, nothing old under way.
  bool drained();
  // What endpoints keep of tasks though none is left; empty when they keep nothing.
  std::string check_endpoints() const;
  // Once, at the end.
  Coverage coverage();
  void fail(std::string_view oracle, std::string_view what) { verdict_.fail(oracle, what); }

  std::uint64_t now_ns() const noexcept { return now_ns_; }
  const Options& options() const noexcept { return options_; }
  Broker& broker() noexcept { return *broker_; }
  const Ledger& ledger() const noexcept { return ledger_; }
  Newsroom& newsroom() noexcept { return newsroom_; }
  const Network& network() const noexcept { return network_; }
  Verdict& verdict() noexcept { return verdict_; }
  Trace& trace() noexcept { return trace_; }

 private:
  enum class Kind : std::uint8_t {
    kCore,
    kControl,
    kPeerTimer,
    kSend,
    kCancel,
    kNews,
    kToBroker,
    kToPeer,
    kFinish,
    kRestart,
    kMishap,
    kBrokerStart,
    kBuffersBack
  };
  struct Event {
    std::uint64_t at_ns = 0, order = 0;
    Kind kind{};
    std::uint32_t index = 0, handle = 0;  // who, and the frame or job it is about
    friend bool operator>(const Event& a, const Event& b) noexcept {
      return a.at_ns != b.at_ns ? a.at_ns > b.at_ns : a.order > b.order;
    }
  };
  struct Core {
    std::uint64_t next_ns = 0, paused_ns = 0, passed_on = 0;
    std::uint64_t ring_full_ns = 0;  // the NIC takes nothing until then
    std::uint64_t undrained_ns = 0;  // when the oldest frame that it has not sent yet may have been made
    std::uint32_t idle = 0;
  };
  struct Frame {
    Bytes bytes;
    bool corrupted = false;
  };
  struct Job {
    std::uint32_t life = 0, number = 0;
    TaskToken token;
    std::uint8_t attempt = 0;
    std::size_t emitted = 0;  // bytes of its text, of a stream
    bool streamed = false;
  };
  // A client or a worker and the machine it lives on.
  struct Peer {
    Host host;
    wire::HelloBody hello;
    std::unique_ptr<client::ClientEngine> client{};
    std::unique_ptr<client::WorkerEngine> worker{};
    std::uint32_t life = 0;
    bool leaving = false;
    std::uint64_t timer_ns = ~std::uint64_t{0};  // of the event that is queued
    bool down() const noexcept { return client == nullptr && worker == nullptr; }
    const client::Session& session() const noexcept { return client ? client->session() : worker->session(); }
  };

  // A core that works loops about this often.
  static constexpr std::uint32_t kStepNs = 8'000;

  // world.cc
  void push(std::uint64_t at_ns, Kind kind, std::uint32_t index, std::uint32_t handle = 0);
  void handle(const Event& event);
  void check();
  void wake(std::uint32_t core, std::uint64_t at_ns);
  void step_core(std::uint32_t core);
  void poll_control();
  void drain_nic(std::uint32_t core);
  void start_broker();
  void stop_broker();
  void count_broker();

  // crossing.cc
  void leave_broker(PortId port, std::span<std::byte> frame);
  void observe(std::span<const std::byte> datagram, std::uint32_t to);
  void check_route(const wire::Header& header);
  void check_degraded(const wire::Header& header);
  void carry(std::uint32_t peer, Direction direction, std::span<std::byte> frame);
  void arrive_at_broker(std::uint32_t peer, Frame& frame);
  std::uint32_t keep_frame(std::span<const std::byte> bytes);

  // peers.cc
  void add_peers();
  void start(std::uint32_t peer);
  void stop(std::uint32_t peer);
  void flush(std::uint32_t peer);
  void on_timer(std::uint32_t peer);
  void arrive_at_peer(std::uint32_t peer, Frame& frame);
  void on_datagram(Peer& peer, std::uint32_t index, std::span<const std::byte> datagram, const wire::Endpoint& from);
  void on_completions();
  void on_assignments(std::uint32_t peer);
  void finish(std::uint32_t peer, std::uint32_t job);
  bool stream_on(std::uint32_t peer, std::uint32_t job);
  void take_piece(const client::Completion& completion);
  void write_long(std::vector<std::byte>& bytes, std::uint32_t number, std::uint32_t salt, std::size_t size) const;
  std::span<const std::byte> text_of(std::uint32_t number);
  bool fails(std::uint32_t peer, std::uint32_t task) const;
  void send_burst(std::uint32_t peer);
  bool send_task(std::uint32_t peer, std::uint32_t selector, std::uint32_t ttl_ms);
  void cancel(std::uint32_t peer, std::uint32_t task);
  std::span<const std::byte> answer_of(std::uint32_t number);
  std::span<const std::byte> answer_to(const client::Completion& completion);
  void write_payload(std::uint32_t number, std::uint32_t selector);
  bool somebody_in(std::uint32_t number) const;
  void send_news(std::uint32_t peer);

  // mishaps.cc
  void mishap();
  void befall(Mishap what);
  std::optional<std::uint32_t> draw_peer(bool client);
  void leave(std::uint32_t peer);

  // True once, for the harness to break itself in the middle of a run.
  bool sabotage(Sabotage what);

  const Options options_;
  Random random_;
  Verdict verdict_;
  Trace trace_;
  Ledger ledger_;
  Network network_;
  Newsroom newsroom_;
  std::unique_ptr<Broker> broker_;  // null: it is down
  std::uint32_t broker_life_ = 0;   // goes up at each start and each end
  Coverage coverage_;

  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t now_ns_ = kNsPerSecond, order_ = 0, steps_ = 0;
  std::vector<Core> cores_;
  std::vector<Peer> peers_;  // clients first
  std::vector<Frame> frames_;
  std::vector<std::uint32_t> frames_free_;
  std::vector<Job> jobs_;
  std::size_t jobs_open_ = 0;
  std::vector<std::vector<std::byte>> tables_;  // by selector
  std::uint64_t control_paused_ns_ = 0, links_down_ns_[2] = {0, 0}, exhausted_ns_ = 0;
  std::uint64_t links_went_ns_[2] = {0, 0};  // when they went down last
  std::uint64_t calm_ns_ = 0;                // where no machine may be out of reach for long, no mishap until then
  std::uint64_t since_ns_ = 0;               // of the frames that leave the broker now: none is older
  bool sending_, healed_ = false;
  std::size_t one_by_one_ = 0;
  std::uint32_t sabotage_due_ = 20;

  client::Outbox out_;
  std::vector<client::Completion> done_;
  std::vector<client::Assignment> assigned_;
  std::vector<std::uint32_t> subjects_, selectors_;  // of tasks: what is asked, and of whom
  // Where messages come in parts, of tasks: bytes of the payload and of the answer's text, and what of that has come.
  std::vector<std::uint32_t> payload_bytes_, text_bytes_;
  std::unordered_map<std::uint32_t, std::vector<std::byte>> received_;
  std::vector<std::byte> payload_, answer_, text_;
  Bytes scratch_;
};

}  // namespace mcplane::sim
