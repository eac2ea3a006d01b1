// A broker small enough to read at once, on a real loopback UDP socket with a thread of its own: it registers any
// A broker small enough to read at once, on a real loopback UDP socket with a thread of its own: it registers any
// number of endpoints, routes every SEND to the worker that registered last, and gives each event to all who
// subscribed, whatever their groups. It acknowledges what asks for it and recognises repeats, passes parts and GRANTs
// on, but sends nothing again itself. For tests of the SDK's shell.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "support/broker_frames.h"
#include "wire/address.h"

namespace mcplane::test {

class MiniBroker {
 public:
  MiniBroker();
  ~MiniBroker();
  MiniBroker(const MiniBroker&) = delete;
  MiniBroker& operator=(const MiniBroker&) = delete;

  std::string address() const { return to_string(self_); }
  std::uint64_t pings() const noexcept { return pings_.load(); }
  std::uint64_t byes() const noexcept { return byes_.load(); }
  // Sends every DELIVER twice from now on.
  void repeat_outcomes() noexcept { repeat_outcomes_ = true; }
  // Answers nothing from now on.
  void fall_silent() noexcept { silent_ = true; }
  // Refuses every SEND from now on, until 0: QueueFull, to be tried again after that many milliseconds.
  void refuse(std::uint32_t retry_after_ms) noexcept { retry_after_ms_ = retry_after_ms; }
  std::uint64_t sends() const noexcept { return sends_.load(); }  // repeats are not counted
  std::uint64_t cancels() const noexcept { return cancels_.load(); }
  // Answers every SUBSCRIBE so from now on: TableFull.
  void refuse_subscriptions() noexcept { refuse_subscriptions_ = true; }
  // As if so many events more had been lost on their way to each subscriber.
  void lose_events(std::uint32_t count) noexcept { events_lost_ = count; }
  // Sends every event twice from now on.
  void repeat_events() noexcept { repeat_events_ = true; }
  // Of the next event one subscriber gets none, or one whose last byte is another.
  void drop_next_event() noexcept { drop_event_ = true; }
  void damage_next_event() noexcept { damage_event_ = true; }

 private:
  struct Task {
    Frame send;
    wire::Endpoint client;
    std::uint32_t worker_session = 0, route = 0;
    std::uint32_t result = 0;  // number of its RESULT in parts, to be acknowledged when the client has it
  };
  using Tasks = std::map<std::uint32_t, Task>;  // by token generation

  void run();
  void on_frame(Frame frame, const wire::Endpoint& from);
  void on_hello(const Frame& frame, const wire::Endpoint& from);
  void on_send(Frame frame, const wire::Endpoint& from);
  void on_cancel(const Frame& frame, const wire::Endpoint& from);
  void on_result(Frame frame);
  void on_grant(Frame frame);
  void on_delivered(std::uint32_t client_session, std::uint32_t slot, std::uint32_t sequence);
  void forward_route(Frame send, std::uint32_t generation) const;
  Tasks::iterator find_task(const wire::Header& from_client);
  void on_subscribe(const Frame& frame, const wire::Endpoint& from);
  void on_publish(const Frame& frame);
  Life life_of(std::uint32_t session) const;
  void transmit(const Frame& frame, const wire::Endpoint& to) const;

  int socket_;
  wire::Endpoint self_;
  Life life_;
  std::map<std::uint32_t, wire::Endpoint> peers_;  // by session
  Tasks tasks_;
  std::map<std::pair<std::uint32_t, std::uint16_t>, std::uint32_t> sequences_;  // the last, by session and slot
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> patterns_;     // by session and subscription
  std::map<std::uint32_t, std::uint32_t> events_;                               // the last number, by session
  std::uint32_t worker_session_ = 0;
  std::uint32_t next_session_ = 0x00100001;
  std::uint32_t next_generation_ = 1;
  std::uint32_t routes_ = 0;  // to the worker that registered last
  std::atomic<std::uint64_t> pings_{0}, byes_{0}, sends_{0}, cancels_{0};
  std::atomic<std::uint32_t> retry_after_ms_{0}, events_lost_{0};
  std::atomic<bool> refuse_subscriptions_{false}, repeat_events_{false}, drop_event_{false}, damage_event_{false};
  std::atomic<bool> repeat_outcomes_{false}, silent_{false}, stopping_{false};
  std::thread thread_;
};

}  // namespace mcplane::test
