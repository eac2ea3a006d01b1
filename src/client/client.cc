// Client: a thread that runs the core, and an inbox through which the other threads hand it tasks. The inbox lock is
// held for a push or a swap only, and the thread is woken once for any number of tasks that wait there. What it cannot
// publish for want of room in the socket keeps it from taking more out of the inbox, which holds up who publishes.
#include "mcplane/client.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/async_core.h"
#include "client/endpoint_setup.h"

namespace mcplane {

namespace {

constexpr std::size_t kWaitingMax = 1'024;  // events to be published

}  // namespace

struct Client::Impl {
  explicit Impl(const ClientOptions& options) : core(options), connect_timeout(options.connect_timeout) {
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

  // For the I/O thread: a task to send, the id of those to cancel, or something else to be done, and again if that
  // returns false.
  struct Errand {
    Task task{};
    OutcomeCallback done{};
    ChunkCallback chunk{};
    std::optional<std::string> cancel{};
    std::function<bool()> act{};
  };

  bool on_io_thread() const noexcept { return std::this_thread::get_id() == thread.get_id(); }

  // Not beyond kWaitingMax, unless this is the thread that makes room.
  void wait_for_room() {
    if (on_io_thread()) return;
    std::unique_lock lock(mutex);
    room.wait(lock, [this] { return inbox.size() < kWaitingMax; });
  }

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
      if (!taken.empty() && core.flush()) wakeup.signal();  // there is room again for what was left over
      tell();
    }
    core.close();
    // What was left over, then what callbacks sent meanwhile: that gets its outcome too.
    run_errands();
    run_errands();
  }

  // False when the thread is to stop.
  bool run_errands() {
    const bool left_over = !taken.empty();
    bool go_on = false;
    {
      const std::lock_guard lock(mutex);
      if (!left_over) taken.swap(inbox);
      go_on = !stopping;
    }
    room.notify_all();
    while (next < taken.size() && run_errand(taken[next])) ++next;
    if (next < taken.size()) return go_on;  // the socket is full
    taken.clear();
    next = 0;
    if (left_over) wakeup.signal();  // those that wait in the inbox have signalled in vain
    return go_on;
  }

  // False when there is no room for it yet.
  bool run_errand(Errand& errand) {
    if (errand.act) return errand.act();
    if (errand.cancel)
      core.cancel(*errand.cancel);
    else
      core.submit(std::move(errand.task), std::move(errand.done), std::move(errand.chunk));
    return true;
  }

  // What other threads may know of the session and its events.
  void tell() {
    const auto& session = core.session();
    missed.store(core.missed(), std::memory_order_relaxed);
    publish_bytes_max.store(client::EventEngine::datagram_bytes_max(session), std::memory_order_relaxed);
    if (node_id.load(std::memory_order_relaxed) == session.id().value && refusal == session.refusal()) return;
    const std::lock_guard lock(mutex);
    refusal = session.refusal();
    node_id.store(session.id().value, std::memory_order_relaxed);
    registered.notify_all();
  }

  client::AsyncCore core;  // Touched by: the I/O thread, once it runs
  const std::chrono::milliseconds connect_timeout;
  client::Wakeup wakeup;
  std::mutex mutex;  // Guards: inbox, stopping, refusal; and the wait for node_id
  std::condition_variable registered, room;
  std::vector<Errand> inbox;
  std::vector<Errand> taken;  // of the I/O thread: those before `next` are done
  std::size_t next = 0;
  bool stopping = false;
  wire::Reason refusal = wire::Reason::Ok;
  // Numbers on their own: nothing is read on the strength of them, so relaxed order will do.
  std::atomic<std::uint32_t> node_id{0};
  std::atomic<std::size_t> publish_bytes_max{0};
  std::atomic<std::uint64_t> missed{0};
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

SubscriptionId Client::subscribe(std::string_view pattern, EventCallback on_event, std::string_view group) {
  if (impl_->on_io_thread()) throw std::runtime_error("subscribe: a callback cannot wait for the broker's answer");
  struct Asked {
    std::promise<std::string> refusal;
    SubscriptionId id{};  // of the I/O thread, until `refusal` is set
  };
  const auto asked = std::make_shared<Asked>();
  auto refusal = asked->refusal.get_future();
  auto table = client::subscription_table(pattern, group);
  impl_->push({.act = [core = &impl_->core, asked, table = std::move(table), on_event = std::move(on_event)] {
    try {
      asked->id = core->subscribe(table, on_event,
                                  [asked](std::string_view why) { asked->refusal.set_value(std::string(why)); });
    } catch (const std::runtime_error&) {
      asked->refusal.set_exception(std::current_exception());
    }
    return true;
  }});
  const std::string what = "the subscription to \"" + std::string(pattern) + "\"";
  if (refusal.wait_for(impl_->connect_timeout) != std::future_status::ready) {
    impl_->push({.act = [core = &impl_->core, asked] { return core->unsubscribe(asked->id), true; }});
    throw std::runtime_error("the broker does not answer " + what + " within " +
                             std::to_string(impl_->connect_timeout.count()) + " ms");
  }
  if (const std::string why = refusal.get(); !why.empty())
    throw std::runtime_error("the broker refuses " + what + ": " + why);
  return asked->id;
}

void Client::unsubscribe(SubscriptionId id) {
  if (impl_->on_io_thread()) return impl_->core.unsubscribe(id);
  const auto done = std::make_shared<std::promise<void>>();
  auto ended = done->get_future();
  impl_->push({.act = [core = &impl_->core, id, done] {
    core->unsubscribe(id);
    done->set_value();
    return true;
  }});
  ended.get();
}

void Client::publish(std::string_view topic, std::string_view payload) {
  auto table = client::publication_table(topic);
  if (wire::kLeadBytes + table.size() + payload.size() > impl_->publish_bytes_max.load(std::memory_order_relaxed))
    client::throw_too_large(topic, payload.size());
  impl_->wait_for_room();
  impl_->push({.act = [core = &impl_->core, table = std::move(table), payload = std::string(payload)] {
    return core->publish(table, std::as_bytes(std::span(payload))) != client::PublishStatus::kOutboxFull;
  }});
}

std::uint64_t Client::missed() const noexcept { return impl_->missed.load(std::memory_order_relaxed); }

std::uint32_t Client::node_id() const noexcept { return impl_->node_id.load(std::memory_order_relaxed); }

}  // namespace mcplane
