// Worker: an I/O thread with the engine and its socket, and a pool of handler threads. Only the I/O thread touches the
// engine; jobs and answers pass through the pool's queues.
#include "mcplane/worker.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "client/broker_address.h"
#include "client/endpoint_setup.h"
#include "client/event_loop.h"
#include "client/handler_pool.h"
#include "client/task_id.h"
#include "client/udp_socket.h"
#include "client/worker_engine.h"

namespace mcplane {

namespace {

constexpr std::uint64_t kStopGraceNs = kNsPerSecond;  // for answers of handlers that run when stop() is called
constexpr std::chrono::milliseconds kStopPoll{10};
constexpr int kBurstsMax = 16;
constexpr int kTimersMax = 300;  // a registration may owe 256 shards a PING each

wire::HelloBody hello_of(const WorkerOptions& options) {
  wire::HelloBody hello;
  hello.service = wire::Service::kWorker;
  hello.slots = options.slots;
  hello.name = client::endpoint_name(options.name);
  hello.actions = options.actions;
  hello.models = options.models;
  hello.tags = options.tags;
  return client::checked_hello(std::move(hello));
}

client::Job job_of(const client::Assignment& assigned, std::uint64_t now_ns) {
  client::Job job;
  job.token = assigned.token;
  job.attempt = assigned.attempt;
  job.deadline_ns = now_ns + assigned.ttl_ms * kNsPerMs;
  job.task.id = client::task_id_text(assigned.task_id, assigned.route->task_id_text);
  job.task.action = assigned.route->action;
  job.task.model = assigned.route->model;
  for (const auto tag : assigned.route->tag_list()) job.task.tags.emplace_back(tag);
  job.task.ttl = std::chrono::milliseconds(assigned.ttl_ms);
  job.task.priority = wire::priority_of(assigned.flags);
  job.task.idempotent = wire::has(assigned.flags, wire::Flag::Idempotent);
  job.payload.assign(assigned.payload.begin(), assigned.payload.end());
  return job;
}

}  // namespace

struct Worker::Impl {
  Impl(const WorkerOptions& options, Handler handler)
      : broker(client::parse_broker_address(options.broker)),
        socket(broker),
        loop(socket.fd()),
        engine(broker, hello_of(options), client::kMtu, client::random_source()),
        pool(options.slots, std::move(handler), wakeup) {
    loop.add(wakeup.fd());
    engine.start(client::now_ns(), outbox);
    flush();
    client::check_first_send(socket.refusal(), broker);
    loop.arm(engine.next_timer_ns(), client::now_ns());
    thread = std::thread([this] { io_loop(); });
  }
  ~Impl() {
    stop();
    thread.join();
  }

  void stop() {
    stopping.store(true, std::memory_order_relaxed);
    wakeup.signal();
  }

  void wait_registered(std::chrono::milliseconds longest) {
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, longest, [this] { return node_id.load(std::memory_order_relaxed) != 0; }))
      client::throw_unanswered(broker, longest, refusal);
  }

  void wait_stopped() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return stopped; });
  }

  void io_loop() {
    while (!stopping.load(std::memory_order_relaxed)) {
      loop.wait(std::chrono::milliseconds(-1));
      wakeup.clear();
      turn();
      publish();
    }
    drain();
    const std::lock_guard lock(mutex);
    stopped = true;
    changed.notify_all();
  }

  void drain() {
    const auto dropped = pool.stop();
    flush();
    engine.close(client::now_ns(), outbox);
    for (const auto& job : dropped) {
      if (outbox.full()) flush();
      engine.give_back(job.token, job.attempt, client::now_ns(), outbox);
    }
    flush();
    const std::uint64_t end_ns = client::now_ns() + kStopGraceNs;
    while (!(pool.idle() && engine.idle()) && client::now_ns() < end_ns) {
      loop.wait(kStopPoll);
      wakeup.clear();
      turn();
    }
  }

  void turn() {
    send_answers();
    receive();
    const std::uint64_t now = client::now_ns();
    for (int i = 0; i < kTimersMax && engine.next_timer_ns() <= now; ++i) {
      engine.on_timer(now, outbox);
      if (outbox.full()) flush();
    }
    flush();
    loop.arm(engine.next_timer_ns(), now);
  }

  void receive() {
    for (int i = 0; i < kBurstsMax; ++i) {
      const auto burst = socket.receive();
      if (burst.empty()) return;
      const std::uint64_t now = client::now_ns();
      for (const auto& received : burst) {
        engine.on_datagram(received.datagram, received.from, now, outbox, assigned);
        for (const auto& assignment : assigned) pool.push(job_of(assignment, now));
        assigned.clear();
      }
      flush();
    }
  }

  void send_answers() {
    for (const auto& finished : pool.take_finished()) {
      if (outbox.full()) flush();
      const auto bytes = wire::write_answer(finished.answer.text);
      const bool sent =
          engine.finish(finished.token, finished.attempt, bytes, finished.answer.error, client::now_ns(), outbox);
      // Written by this thread only; readers want the number and nothing else.
      if (sent) tasks_done.store(tasks_done.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    flush();
  }

  void flush() { loop.want_write(!socket.send(outbox)); }

  void publish() {
    const auto& session = engine.session();
    if (node_id.load(std::memory_order_relaxed) == session.id().value && refusal == session.refusal()) return;
    const std::lock_guard lock(mutex);
    refusal = session.refusal();
    node_id.store(session.id().value, std::memory_order_relaxed);
    changed.notify_all();
  }

  // Touched by: the I/O thread, once it runs.
  wire::Endpoint broker;
  client::UdpSocket socket;
  client::EventLoop loop;
  client::WorkerEngine engine;
  client::Outbox outbox;
  std::vector<client::Assignment> assigned;

  client::Wakeup wakeup;
  client::HandlerPool pool;
  std::mutex mutex;  // guards stopped, refusal, and the wait for node_id
  std::condition_variable changed;
  bool stopped = false;
  wire::Reason refusal = wire::Reason::Ok;
  // Flags and numbers on their own: nothing else is read on the strength of them, so relaxed order will do; the
  // wake-up that follows a store of `stopping` is what makes the I/O thread look.
  std::atomic<bool> stopping{false};
  std::atomic<std::uint32_t> node_id{0};
  std::atomic<std::uint64_t> tasks_done{0};
  std::thread thread;
};

Worker::Worker(const WorkerOptions& options, Handler handler)
    : impl_(std::make_unique<Impl>(options, std::move(handler))) {
  impl_->wait_registered(options.connect_timeout);
}
Worker::~Worker() = default;

void Worker::run() { impl_->wait_stopped(); }
void Worker::stop() { impl_->stop(); }
std::uint32_t Worker::node_id() const noexcept { return impl_->node_id.load(std::memory_order_relaxed); }
std::uint64_t Worker::tasks_done() const noexcept { return impl_->tasks_done.load(std::memory_order_relaxed); }

}  // namespace mcplane
