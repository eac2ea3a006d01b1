// Clients and workers that turn frames round where they lie: a ROUTE becomes its RESULT, a DELIVER the slot's next
// SEND, and the parts of a long task are those that its worker was sent before. Headers are written anew, bodies stay:
// every body of a run is the same bytes, so that its sum is known. That is the least that two ends can do, so what a
// broker forwards shows before they are full. What is lost or asked for again is written again, but for later parts:
// where one of them is lost, its task is. Every answer is held against its slot, sequence and task id, and of
// Options::check_every bodies one against what it must be; that all are sound is the broker's to check, by their sum.
//
// Closed loop: a DELIVER becomes the slot's next SEND. Open loop: the slot waits until the schedule says that a task is
// due, longest first, and what it was sent is acknowledged when that takes a while; a task that finds no slot is
// skipped. Sans-I/O; one thread.
//
//   connecting -> (begin) running -> (stop) draining -> (all answered, or TTL + grace) done
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "client/session.h"
#include "loadgen/client_fleet.h"
#include "loadgen/engine_roll.h"
#include "loadgen/index_ring.h"
#include "loadgen/options.h"
#include "loadgen/run_times.h"
#include "loadgen/tally.h"
#include "wire/trace.h"

namespace mcplane::loadgen {

// A datagram in a packet of ours, ready to go.
struct Outgoing {
  std::size_t endpoint = 0;
  std::uint16_t port = 0;   // of the broker
  std::uint16_t bytes = 0;  // of the datagram
  std::uint16_t sum = 0;    // wire::sum_bytes() of it
};

class ReflectFleet {
 public:
  // transmit: for frames of sessions, and GRANTs. Clients come first among the endpoints, then the workers.
  ReflectFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit, Progress& progress);

  enum class Fate : std::uint8_t {
    kDone,  // the packet is needed no more
    kBody,  // nor is what it says, but its body is a whole part's
    kSend,  // it holds a datagram that is to go
  };
  struct Turned {
    Fate fate = Fate::kDone;
    Outgoing out;
  };
  // A datagram of the broker, which may be written to: as far as it is long.
  Turned on_datagram(std::size_t endpoint, std::span<std::byte> datagram, const wire::Endpoint& from,
                     std::uint64_t now_ns);
  void prefetch(std::size_t endpoint, std::span<const std::byte> datagram) const noexcept;
  void on_time(std::uint64_t now_ns);

  // There is something to send that no packet at hand holds.
  bool wants_packet() noexcept;
  // Writes it before a body in `datagram`, which has datagram_bytes() bytes and a lead that was sent, or is zero.
  Outgoing write_next(std::span<std::byte> datagram, std::uint64_t now_ns);
  // Of a lead, what changes from frame to frame: behind it is a trace context, which is zero in all that is sent here.
  // So what is turned round is read and written up to there, and a frame's other lines stay where they are.
  static constexpr std::size_t kChangingBytes = wire::kLeadBytes - sizeof(wire::Id16) - sizeof(wire::SpanId);
  // Of the longest, known once all have registered.
  std::size_t datagram_bytes() const noexcept { return wire::kLeadBytes + body_.size(); }
  std::span<const std::byte> body() const noexcept { return body_; }
  // Every body is read, not one of some.
  bool looks_at_all() const noexcept { return options_.check_every <= 1; }
  std::uint32_t parts() const noexcept { return parts_; }  // of a task

  std::size_t registered() const noexcept { return roll_.registered(); }
  void begin(std::uint64_t now_ns);
  void stop(std::uint64_t now_ns);
  bool sending() const noexcept { return phase_ == Phase::kRunning; }
  bool done() const noexcept { return phase_ == Phase::kDone; }
  Tally close(std::uint64_t now_ns);

 private:
  class End {
   public:
    explicit End(client::Session session) : session_(std::move(session)) {}
    client::Session& session() noexcept { return session_; }
    const client::Session& session() const noexcept { return session_; }
    std::uint64_t next_timer_ns() const noexcept { return session_.next_timer_ns(); }

   private:
    client::Session session_;
  };
  // What every frame of an end needs of its session.
  struct Identity {
    std::uint32_t boot_id = 0, session = 0;
    std::uint32_t results = 0;  // worker: the number of its last one
    std::uint16_t port = 0;     // of its shard
  };
  // A client slot.
  struct Exchange {
    std::uint64_t sent_ns = 0;  // open loop: when it was due, and once it has ended, when it did
    std::uint32_t sequence = 0;
    TaskToken token;  // as a GRANT or RESEND says
    std::uint16_t next = 0, limit = 0;
    std::uint8_t attempt = 0;
    bool busy = false, listed = false;  // listed: in one of the rings
  };
  // A task with a worker.
  struct Run {
    wire::Id16 id{};
    std::uint32_t generation = 0;
    std::uint16_t arrived = 0;  // parts of it
  };
  // An answer that the broker asks for again.
  struct Asked {
    std::size_t worker;
    TaskToken token;
    std::uint8_t attempt;
  };

  bool is_worker(std::size_t endpoint) const noexcept { return endpoint >= options_.clients; }
  std::size_t index_of(std::size_t client, std::uint16_t slot) const noexcept { return client * slots_ + slot; }
  void to_session(std::size_t endpoint, std::span<const std::byte> datagram, std::uint64_t now_ns);
  Turned on_deliver(std::size_t client, std::span<std::byte> datagram, std::uint64_t now_ns);
  void on_reject(std::size_t client, const wire::Header& reject);
  void on_grant(std::size_t client, const wire::Header& grant) noexcept;
  void on_resend(std::size_t endpoint, const wire::Header& resend);
  Turned on_route(std::size_t worker, std::span<std::byte> datagram, const wire::Endpoint& from);
  Turned on_part(std::size_t worker, std::span<std::byte> datagram, const wire::Endpoint& from, Run& run);
  Turned answer(std::size_t worker, std::span<std::byte> datagram, std::uint16_t port) noexcept;
  Run& run_of(TaskToken token);
  void write_grant(std::size_t worker, const wire::Header& part, std::uint16_t next, const wire::Endpoint& to);
  Exchange* find(std::size_t client, const wire::Header& header) noexcept;
  void end(Exchange& exchange, Ending ending) noexcept;
  Turned acknowledge(std::size_t index, std::span<std::byte> datagram) noexcept;
  void write_ack(std::size_t index, std::span<std::byte> datagram) const noexcept;
  Outgoing write_again(std::span<std::byte> datagram) noexcept;
  Outgoing write_send(std::size_t index, std::span<std::byte> datagram, std::uint64_t now_ns) noexcept;
  Outgoing sealed(std::size_t endpoint, std::uint16_t port, std::span<const std::byte> datagram,
                  std::size_t body_bytes) const noexcept;
  std::size_t part_bytes(std::uint32_t part) const noexcept { return part + 1 == parts_ ? last_bytes_ : body_.size(); }
  bool may_send(const Exchange& exchange) const noexcept {
    return exchange.busy ? exchange.next < std::min<std::uint32_t>(exchange.limit, parts_) : phase_ == Phase::kRunning;
  }
  wire::Id16 task_id_of(std::size_t index) const noexcept;
  bool looks_right(std::span<const std::byte> body) noexcept;
  void make_ready(std::size_t index) noexcept;
  void release_due(std::uint64_t now_ns) noexcept;
  void acknowledge_idle(std::uint64_t now_ns);
  void make_bodies();
  void repeat_sends(std::uint64_t now_ns);
  void tick(std::uint64_t now_ns);
  void publish(std::uint64_t now_ns);
  void take_outbox(std::size_t endpoint);
  void make_room();
  void flush();

  const Options options_;
  Transmit transmit_;
  Progress& progress_;
  const std::uint16_t slots_;  // of a client
  const std::vector<std::byte> table_;
  std::size_t message_bytes_;  // of a task: table and payload
  std::vector<End> ends_;
  std::vector<Identity> identities_;  // by endpoint
  EngineRoll roll_;
  std::vector<Exchange> exchanges_;
  IndexRing ready_;                     // exchanges that may send
  IndexRing idle_;                      // open loop: those whose turn it is when a task is due
  std::size_t idle_known_ = 0;          // of the first of them the broker knows that their DELIVERs came
  std::vector<std::uint32_t> refused_;  // exchanges that go on with the next tick
  std::vector<std::vector<Run>> runs_;  // by a task's shard and place there: the newest
  std::vector<Asked> asked_;
  std::vector<std::byte> body_;  // of a whole part
  std::size_t last_bytes_ = 0;   // of a task's last part, which has only the beginning of that
  std::uint32_t parts_ = 1, looked_ = 0;
  std::uint16_t body_sum_ = 0, last_sum_ = 0;
  std::array<std::byte, 2 + wire::kLeadBytes> lead_{};  // of a SEND, behind two bytes
  client::Outbox outbox_;
  std::size_t outbox_owner_ = 0;

  Phase phase_ = Phase::kConnecting;
  RunTimes times_;
  std::uint64_t drain_until_ns_ = 0, next_tick_ns_ = 0, next_repeat_ns_ = 0, next_publish_ns_ = 0;
  std::size_t in_flight_ = 0;
  Tally tally_;
};

}  // namespace mcplane::loadgen
