// A worker's tie to one broker: engine, socket and outbox. Driven by the worker's I/O thread, which shares its handler
// pool among all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "client/event_loop.h"
#include "client/handler_pool.h"
#include "client/outbox.h"
#include "client/udp_socket.h"
#include "client/worker_engine.h"

namespace mcplane::client {

class WorkerLink {
 public:
  // Opens the socket and sends HELLO. number: of this link, in its jobs. Throws std::runtime_error.
  WorkerLink(const wire::Endpoint& broker, const wire::HelloBody& hello, EventLoop& loop, std::size_t number);
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;

  const Session& session() const noexcept { return engine_.session(); }
  std::uint64_t next_timer_ns() const noexcept { return engine_.next_timer_ns(); }
  bool idle() const noexcept { return engine_.idle(); }

  // Receives, runs timers, sends.
  void turn(HandlerPool& pool);
  // What these write leaves with the next flush() or turn(). False: nobody waits for it any more.
  bool finish(const FinishedJob& finished);
  void give_back(const Job& job);
  void close();
  void flush();

 private:
  void receive(HandlerPool& pool);
  Job job_of(const Assignment& assigned, std::uint64_t now_ns) const;

  EventLoop& loop_;
  UdpSocket socket_;
  WorkerEngine engine_;
  Outbox outbox_;
  std::vector<Assignment> assigned_;
  std::size_t number_;
};

}  // namespace mcplane::client
