// Worker: an I/O thread with a link to each broker, and a pool of handler threads. Only the I/O thread touches the
// links; jobs and answers pass through the pool's queues.
#include "mcplane/worker.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/lone_writer.h"
#include "client/broker_address.h"
#include "client/endpoint_setup.h"
#include "client/event_loop.h"
#include "client/handler_pool.h"
#include "client/worker_link.h"

namespace mcplane {

namespace {

// For answers of handlers that run when stop() is called, and until the brokers have them.
constexpr std::uint64_t kStopGraceNs = kNsPerSecond;
constexpr std::chrono::milliseconds kStopPoll{10};

wire::HelloBody hello_of(const WorkerOptions& options) {
  wire::HelloBody hello;
  hello.service = options.shadow ? wire::Service::kShadowWorker : wire::Service::kWorker;
  hello.slots = options.slots;
  hello.name = client::endpoint_name(options.name);
  hello.actions = options.actions;
  hello.models = options.models;
  hello.tags = options.tags;
  if (const std::string wrong = wire::parse_probe(options.probe, hello.probe); !wrong.empty())
    throw std::runtime_error("probe: \"" + options.probe + "\" " + wrong);
  return client::checked_hello(std::move(hello));
}

}  // namespace

struct Worker::Impl {
  Impl(const WorkerOptions& options, client::AnyHandler handler)
      : brokers(client::parse_broker_list(options.broker)),
        pool(options.slots, std::move(handler), wakeup, options.trace) {
    const wire::HelloBody hello = hello_of(options);
    for (std::size_t i = 0; i < brokers.size(); ++i)
      links.push_back(std::make_unique<client::WorkerLink>(brokers[i], hello, loop, i));
    loop.add(wakeup.fd());
    arm();
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
      client::throw_unanswered(brokers, longest, refusal);
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
    for (const auto& link : links) link->end_streams();
    const std::lock_guard lock(mutex);
    stopped = true;
    changed.notify_all();
  }

  void drain() {
    const auto unbegun = pool.stop();
    for (const auto& link : links) link->close();
    for (const auto& job : unbegun) links[job.link]->give_back(job);
    for (const auto& link : links) link->flush();
    const std::uint64_t end_ns = client::now_ns() + kStopGraceNs;
    while (!idle() && client::now_ns() < end_ns) {
      loop.wait(kStopPoll);
      wakeup.clear();
      turn();
    }
  }

  bool idle() {
    return pool.idle() && std::all_of(links.begin(), links.end(), [](const auto& link) { return link->idle(); });
  }

  void turn() {
    for (auto& finished : pool.take_finished()) {
      client::WorkerLink& link = *links[finished.link];
      // Written by this thread only; readers want the number and nothing else.
      if (link.finish(std::move(finished))) add_alone(tasks_done, 1);
    }
    for (const auto& link : links) link->turn(pool);
    arm();
  }

  void arm() {
    std::uint64_t next_ns = client::EventLoop::kNever;
    for (const auto& link : links) next_ns = std::min(next_ns, link->next_timer_ns());
    loop.arm(next_ns, client::now_ns());
  }

  // The first that has one speaks for all.
  void publish() {
    std::uint32_t id = 0;
    wire::Reason refused = wire::Reason::Ok;
    for (const auto& link : links) {
      if (id == 0) id = link->session().id().value;
      if (refused == wire::Reason::Ok) refused = link->session().refusal();
    }
    if (node_id.load(std::memory_order_relaxed) == id && refusal == refused) return;
    const std::lock_guard lock(mutex);
    refusal = refused;
    node_id.store(id, std::memory_order_relaxed);
    changed.notify_all();
  }

  // Touched by: the I/O thread, once it runs.
  const std::vector<wire::Endpoint> brokers;
  client::EventLoop loop;
  std::vector<std::unique_ptr<client::WorkerLink>> links;

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
Worker::Worker(const WorkerOptions& options, StreamHandler handler)
    : impl_(std::make_unique<Impl>(options, std::move(handler))) {
  impl_->wait_registered(options.connect_timeout);
}
Worker::~Worker() = default;

void Worker::run() { impl_->wait_stopped(); }
void Worker::stop() { impl_->stop(); }
std::uint32_t Worker::node_id() const noexcept { return impl_->node_id.load(std::memory_order_relaxed); }
std::uint64_t Worker::tasks_done() const noexcept { return impl_->tasks_done.load(std::memory_order_relaxed); }

}  // namespace mcplane
