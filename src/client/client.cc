// Client: a thread that runs the core, and an inbox through which the other threads hand it tasks. The inbox lock is
// held for a push or a swap only, and the thread is woken once for any number of tasks that wait there.
#include "mcplane/client.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
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
      client::throw_unanswered(core.brokers(), longest, refusal);
  }

  // For the I/O thread: a task to send, or the id of those to cancel.
  struct Errand {
    Task task{};
    OutcomeCallback done{};
    ChunkCallback chunk{};
    std::optional<std::string> cancel{};
  };

  void push(Errand errand) {
    bool first = false;
    {
      const std::lock_guard lock(mutex);
      first = inbox.empty();
      inbox.push_back(std::move(errand));
    }
    if (first) wakeup.signal();
  }

  void run() {
    for (bool go_on = true; go_on;) {
      core.loop().wait(std::chrono::milliseconds(-1));
      wakeup.clear();
      go_on = run_errands();
      core.process();
      publish();
    }
    core.close();
    run_errands();  // what callbacks sent meanwhile gets its outcome too
  }

  // False when the thread is to stop.
  bool run_errands() {
    std::vector<Errand> taken;
    bool go_on = false;
    {
      const std::lock_guard lock(mutex);
      taken.swap(inbox);
      go_on = !stopping;
    }
    for (Errand& errand : taken) {
      if (errand.cancel)
        core.cancel(*errand.cancel);
      else
        core.submit(std::move(errand.task), std::move(errand.done), std::move(errand.chunk));
    }
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
  std::vector<Errand> inbox;
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
  impl_->push({.task = std::move(task), .done = [promise](Outcome result) { promise->set_value(std::move(result)); }});
  return outcome;
}

void Client::send(Task task, OutcomeCallback done) { impl_->push({.task = std::move(task), .done = std::move(done)}); }

void Client::send(Task task, ChunkCallback chunk, OutcomeCallback done) {
  impl_->push({.task = std::move(task), .done = std::move(done), .chunk = std::move(chunk)});
}

void Client::cancel(std::string task_id) { impl_->push({.cancel = std::move(task_id)}); }

std::uint32_t Client::node_id() const noexcept { return impl_->node_id.load(std::memory_order_relaxed); }

}  // namespace mcplane
