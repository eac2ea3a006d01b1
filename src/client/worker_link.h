// A worker's tie to one broker: engine, socket and outbox. Driven by the worker's I/O thread, which shares its handler
// pool among all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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
  // With a full outbox room in the socket wakes us, and nothing can be done before.
  std::uint64_t next_timer_ns() const noexcept { return outbox_.full() ? EventLoop::kNever : engine_.next_timer_ns(); }
  bool idle() const noexcept { return engine_.idle() && streams_.empty(); }

  // Receives, runs timers, sends.
  void turn(HandlerPool& pool);
  // What these write leaves with the next flush() or turn(). False: nobody waits for it any more. The end of a stream
  // waits for the pieces before it.
  bool finish(FinishedJob finished);
  void give_back(const Job& job);
  void close();
  void end_streams();
  void flush();

 private:
  // A stream from the task's coming to its end.
  struct Stream {
    std::uint32_t sessions = 0;
    TaskToken token;
    std::uint8_t attempt = 0;
    std::shared_ptr<PieceQueue> pieces;
    std::optional<FinishedJob> end;
  };

  void emit_pieces();
  // False when the stream is over.
  bool emit(Stream& stream);
  bool send_end(const FinishedJob& finished);
  void receive(HandlerPool& pool);
  void begin(const Assignment& assigned, std::uint64_t now_ns, HandlerPool& pool);
  Job job_of(const Assignment& assigned, std::uint64_t now_ns) const;

  EventLoop& loop_;
  UdpSocket socket_;
  WorkerEngine engine_;
  Outbox outbox_;
  std::vector<Assignment> assigned_;
  std::vector<Stream> streams_;
  std::size_t number_;
};

}  // namespace mcplane::client
