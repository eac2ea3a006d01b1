// A broker of a hundred lines, a network with a fixed delay, and virtual time: enough world for the fleets to run in,
// with faults that a test can count. Nothing here sleeps.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <span>
#include <vector>

#include "loadgen/client_fleet.h"
#include "loadgen/worker_fleet.h"

namespace mcplane::loadgen {

struct Faults {
  std::uint32_t lose_every = 0;       // every n-th task's SENDs are never answered; 0: none
  std::uint32_t corrupt_every = 0;    // one byte of the answer is flipped
  std::uint32_t duplicate_every = 0;  // the answer comes twice
  std::uint32_t degrade_every = 0;    // the answer is another, and says so
  std::uint32_t reject_every = 0;     // REJECT(QueueFull)
  std::uint32_t miss_every = 0;       // a SEND is lost on its way
  std::uint32_t ask_every = 0;        // ROUTE and DELIVER are lost, and what they are made of is asked for again
  std::uint32_t sample_every = 0;     // ROUTE and DELIVER have a trace context of the broker's
  // From here until there the broker says nothing; then it answers all that came in.
  std::uint64_t silent_from_ns = 0, silent_until_ns = 0;
  bool never_answers = false;  // not even HELLO
  std::uint16_t slot_limit = 1'024;
};

class FakeBroker {
 public:
  struct Datagram {
    wire::Endpoint to;
    std::vector<std::byte> bytes;  // two bytes of alignment, then the datagram
    std::span<const std::byte> view() const noexcept { return std::span(bytes).subspan(2); }
  };

  explicit FakeBroker(const Faults& faults) : faults_(faults) {}
  void set_port(std::uint16_t port) noexcept { port_ = port; }
  std::vector<Datagram> handle(std::span<const std::byte> datagram, const wire::Endpoint& from);
  std::uint32_t sends_seen() const noexcept { return sends_; }
  std::uint32_t routes_made() const noexcept { return routes_; }
  // DELIVERs of which an ACK said that they came.
  std::uint32_t outcomes_known() const noexcept { return outcomes_known_; }

 private:
  void on_hello(std::span<const std::byte> datagram, const wire::Endpoint& from);
  void on_send(std::span<const std::byte> datagram, const wire::Endpoint& from);
  void on_part(std::span<const std::byte> datagram);
  void on_grant(std::span<const std::byte> datagram);
  void on_repeated_send(std::span<const std::byte> datagram, const wire::Endpoint& from);
  void on_result(std::span<const std::byte> datagram, const wire::Endpoint& from);
  // Copies what names the frame that is acknowledged.
  wire::Header& acknowledge(const wire::Header& of, const wire::Endpoint& to);
  void deliver(const wire::Header& send, const wire::Endpoint& to, std::span<const std::byte> answer);
  wire::Header& append(wire::FrameType type, const wire::Endpoint& to, std::size_t body_bytes);

  struct Waiting {
    wire::Header send;
    wire::Endpoint client;
    wire::Header route;
    wire::Endpoint worker;
    bool asked_answer = false;
  };
  struct Worker {
    wire::Endpoint endpoint;
    std::uint32_t session = 0;
    std::uint32_t routes = 0;
  };
  // The latest of a client slot.
  struct Exchange {
    std::uint32_t sequence = 0;
    bool lost = false;
  };

  void ask(const wire::Header& like, wire::FrameType about, std::uint32_t session, const wire::Endpoint& whom);
  wire::Header& route_to(const Waiting& task, std::span<const std::byte> body);
  // Null when it has ended: its place may be another's.
  Waiting* find_routed(TaskToken token);

  Faults faults_;
  std::uint16_t port_ = 4'800;
  std::vector<Datagram> replies_;
  std::vector<Worker> workers_;
  std::map<std::pair<std::uint32_t, std::uint16_t>, Exchange> exchanges_;  // by session and slot
  std::map<std::uint32_t, Waiting> routed_;                                // by place
  std::vector<std::uint32_t> places_left_;                                 // by those that ended
  std::uint32_t sessions_ = 0, heard_ = 0, sends_ = 0, routes_ = 0, answers_ = 0, outcomes_known_ = 0;
};

class FakeWorld {
 public:
  static constexpr std::uint64_t kDelayNs = 5'000;
  static constexpr std::uint64_t kStartNs = 1'000'000'000;

  FakeWorld(const Options& options, const Faults& faults);
  // Registers everything, runs the load, drains, closes.
  const Tally& run();
  void run_until_registered();
  void advance_to(std::uint64_t until_ns);
  // To the next thing that happens.
  void step();
  // Once, in the first step at or behind that time.
  void at(std::uint64_t time_ns, std::function<void()> call) { calls_.emplace(time_ns, std::move(call)); }
  std::size_t workers_registered() const noexcept { return workers_ ? workers_->registered() : 0; }
  const WorkerTasks& worker_tasks() const noexcept { return workers_->tasks(); }
  std::uint64_t now_ns() const noexcept { return now_ns_; }
  FakeBroker& broker() noexcept { return broker_; }
  ClientFleet& clients() noexcept { return clients_; }
  const Progress& progress() const noexcept { return progress_; }

  static wire::Endpoint broker_endpoint() noexcept { return {wire::IpAddress::v4({10, 0, 0, 1}), 4'800}; }

 private:
  enum class Place : std::uint8_t { kBroker, kClient, kWorker };
  struct Event {
    std::uint64_t time_ns;
    std::uint64_t order;
    Place place;
    std::size_t index;  // of the client or worker it comes from or goes to
    Place from;
    std::vector<std::byte> bytes;
    friend bool operator>(const Event& a, const Event& b) noexcept {
      return std::pair(a.time_ns, a.order) > std::pair(b.time_ns, b.order);
    }
  };

  Transmit transmit_from(Place place);
  void arrive(const Event& event);
  void to_broker(const Event& event);

  Options options_;
  Faults faults_;
  Progress progress_;
  FakeBroker broker_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t now_ns_ = kStartNs;
  std::uint64_t begun_ns_ = 0;
  std::uint64_t order_ = 0;
  std::multimap<std::uint64_t, std::function<void()>> calls_;
  ClientFleet clients_;
  std::unique_ptr<WorkerFleet> workers_;
};

}  // namespace mcplane::loadgen
