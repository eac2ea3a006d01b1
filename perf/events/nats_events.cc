// One event to many subscriptions through nats-server: a publisher, and subscriptions spread over a few connections, as
// a process with many subscribers has them; each subscription gets a message of its own. Closed loop: so many events
// are on their way at once. Books and payloads are those of mcplane-load --events. Prints one JSON object.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "loadgen/event_ledger.h"
#include "measuring.h"
#include "nats_connection.h"

namespace {

using namespace mcplane::peers;
using mcplane::loadgen::EventLedger;

constexpr double kRegisterSeconds = 10, kHomeSeconds = 2;

struct Options : Measuring {
  std::uint32_t subscribers = 1'000, connections = 8, window = 4;
};

// Of subscriber i, on connection i mod connections, the subscription is i + 1.
std::string subscriptions_of(const EventLedger& ledger, const Options& options, std::uint32_t connection) {
  std::string lines;
  for (std::uint32_t i = connection; i < options.subscribers; i += options.connections)
    lines += "SUB " + ledger.topic_name(0) + " " + std::to_string(i + 1) + "\r\n";
  return lines;
}

class Publisher : public NatsConnection {
 public:
  Publisher(EventLoop& loop, int fd, EventLedger& ledger, const Options& options)
      : NatsConnection(loop, fd, ""),
        ledger_(ledger),
        window_(options.window),
        head_("PUB " + ledger.topic_name(0) + " " + std::to_string(options.payload_bytes) + "\r\n") {}

  // As many as the window holds, while it is open.
  void open(bool open) {
    open_ = open;
    fill();
  }
  void fill() {
    while (open_ && ledger_.open() < window_ && ledger_.has_room()) {
      const auto payload = ledger_.payload();
      write(head_);
      write({reinterpret_cast<const char*>(payload.data()), payload.size()});
      write("\r\n");
      ledger_.begin(now_ns());
    }
  }

 private:
  void on_message(const Message&, std::uint64_t) override {}

  EventLedger& ledger_;
  const std::uint32_t window_;
  const std::string head_;
  bool open_ = false;
};

class Subscriber : public NatsConnection {
 public:
  Subscriber(EventLoop& loop, int fd, EventLedger& ledger, Publisher& publisher, std::string subscriptions)
      : NatsConnection(loop, fd, std::move(subscriptions)), ledger_(ledger), publisher_(publisher) {}

 private:
  void on_message(const Message& event, std::uint64_t now) override {
    ledger_.take(event.subscription - 1, event.subject, std::as_bytes(std::span(event.payload)), now);
    publisher_.fill();
  }

  EventLedger& ledger_;
  Publisher& publisher_;
};

class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        ledger_({.subscribers = options.subscribers,
                 .topics = 1,
                 .payload_bytes = options.payload_bytes,
                 .seed = now_ns(),
                 .open_max = 65'536}) {
    publisher_ = loop_.make<Publisher>(loop_, connect_tcp("127.0.0.1", options.port), ledger_, options);
    for (std::uint32_t i = 0; i < options.connections; ++i)
      subscribers_.push_back(loop_.make<Subscriber>(loop_, connect_tcp("127.0.0.1", options.port), ledger_, *publisher_,
                                                    subscriptions_of(ledger_, options, i)));
  }

  nlohmann::json report() {
    turn_until(loop_, kRegisterSeconds, [this] { return ready(); });
    if (!ready()) throw Failure("nats-server did not take all subscriptions");
    const std::uint64_t measure_from_ns = now_ns() + ns_of(options_.warmup_seconds);
    ledger_.start(measure_from_ns, measure_from_ns + ns_of(options_.seconds));
    publisher_->open(true);
    turn_until(loop_, options_.warmup_seconds, [] { return false; });
    const CpuUse use = measure(loop_, options_);
    publisher_->open(false);
    turn_until(loop_, kHomeSeconds, [this] { return ledger_.open() == 0; });
    ledger_.give_up_all();
    auto& tally = ledger_.tally();
    tally.measured_ns = ns_of(options_.seconds);
    return {{"deliveries_per_s", tally.measured_rate()},
            {"latency_us", percentiles_us(tally.latency)},
            {"broker_busy", use.broker_busy()},
            {"load_busy", use.load_busy()},
            {"published", tally.published},
            {"delivered", tally.delivered},
            {"lost", tally.lost},
            {"duplicates", tally.duplicates},
            {"mismatched", tally.mismatched}};
  }

 private:
  static std::uint64_t ns_of(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

  bool ready() const {
    return publisher_->ready() && std::ranges::all_of(subscribers_, [](const Subscriber* s) { return s->ready(); });
  }

  const Options& options_;
  EventLoop loop_;
  EventLedger ledger_;
  std::vector<Subscriber*> subscribers_;
  Publisher* publisher_ = nullptr;
};

void add_flags(CLI::App& app, Options& options) {
  add_flags(app, static_cast<Measuring&>(options));
  app.add_option("--subscribers", options.subscribers, "Subscriptions")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  app.add_option("--connections", options.connections, "What they are spread over")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  app.add_option("--window", options.window, "Events on their way")->capture_default_str()->check(CLI::Range(1, 4'096));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Publishes to many subscriptions of nats-server and checks every delivery; one JSON object on stdout.",
               "nats_events");
  add_flags(app, options);
  CLI11_PARSE(app, argc, argv);
  return print_report("nats_events", {"lost", "mismatched", "duplicates"}, [&] { return Run(options).report(); });
}
