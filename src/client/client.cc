// Client: a thread that runs the core, and an inbox through which the other threads hand it tasks. The inbox lock is
// held for a push or a swap only, and the thread is woken once for any number of tasks that wait there.
#include "mcplane/client.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "client/async_core.h"
#include "client/endpoint_setup.h"

namespace mcplane {

struct Client::Impl {
  explicit Impl(const ClientOptions& options) : core(options) {
    core.loop().add(wakeup.fd());
    thread = std::thread([this] { run(); });
  }
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wakeup.signal();
    thread.join();
  }

  void wait_registered(std::chrono::milliseconds longest) {
    std::unique_lock lock(mutex);
    if (!registered.wait_for(lock, longest, [this] { return node_id.load(std::memory_order_relaxed) != 0; }))
      client::throw_unanswered(core.broker(), longest, refusal);
  }

  void push(Task task, OutcomeCallback done) {
    bool first = false;
    {
      const std::lock_guard lock(mutex);
      first = inbox.empty();
      inbox.emplace_back(std::move(task), std::move(done));
    }
    if (first) wakeup.signal();
  }

  void run() {
    for (bool go_on = true; go_on;) {
      core.loop().wait(std::chrono::milliseconds(-1));
      wakeup.clear();
      go_on = submit_inbox();
      core.process();
      publish();
    }
    core.close();
    submit_inbox();  // what callbacks sent meanwhile gets its outcome too
  }

  // False when the thread is to stop.
  bool submit_inbox() {
    std::vector<std::pair<Task, OutcomeCallback>> taken;
    bool go_on = false;
    {
      const std::lock_guard lock(mutex);
      taken.swap(inbox);
      go_on = !stopping;
    }
    for (auto& [task, done] : taken) core.submit(std::move(task), std::move(done));
    return go_on;
  }

  void publish() {
    const auto& session = core.session();
    if (node_id.load(std::memory_order_relaxed) == session.id().value && refusal == session.refusal()) return;
    const std::lock_guard lock(mutex);
    refusal = session.refusal();
    node_id.store(session.id().value, std::memory_order_relaxed);
    registered.notify_all();
  }

  client::AsyncCore core;  // Touched by: the I/O thread, once it runs
  client::Wakeup wakeup;
  std::mutex mutex;  // Guards: inbox, stopping, refusal; and the wait for node_id
  std::condition_variable registered;
  std::vector<std::pair<Task, OutcomeCallback>> inbox;
  bool stopping = false;
  wire::Reason refusal = wire::Reason::Ok;
  // A number on its own: nothing is read on the strength of it, so relaxed order will do.
  std::atomic<std::uint32_t> node_id{0};
  std::thread thread;
};

Client::Client(const ClientOptions& options) : impl_(std::make_unique<Impl>(options)) {
  impl_->wait_registered(options.connect_timeout);
}
Client::~Client() = default;

Outcome Client::call(Task task) { return send(std::move(task)).get(); }

std::future<Outcome> Client::send(Task task) {
  auto promise = std::make_shared<std::promise<Outcome>>();
  auto outcome = promise->get_future();
  impl_->push(std::move(task), [promise](Outcome result) { promise->set_value(std::move(result)); });
  return outcome;
}

void Client::send(Task task, OutcomeCallback done) { impl_->push(std::move(task), std::move(done)); }

std::uint32_t Client::node_id() const noexcept { return impl_->node_id.load(std::memory_order_relaxed); }

}  // namespace mcplane
