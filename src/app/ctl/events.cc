// A subscriber prints on the thread that receives, so nothing is held in between: while its output is blocked, events
// wait in the socket, and those that find no room there are counted as missed. See events.h.
#include "app/ctl/events.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "app/ctl/send.h"
#include "client/broker_address.h"
#include "client/endpoint_setup.h"
#include "client/event_loop.h"
#include "client/subscriptions.h"
#include "mcplane/client.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPayloadBytesMax = 16'384;  // more than any frame holds

std::string json_line(const Json& json) {
  // A payload may be any bytes: what is no UTF-8 is replaced.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

ClientOptions client_options(const std::string& broker, std::uint64_t connect_timeout_ns) {
  return {.broker = broker,
          .name = kCtlProgram,
          .slots = 1,
          .connect_timeout = std::chrono::milliseconds(connect_timeout_ns / kNsPerMs)};
}

// Readable once INT or TERM came, which no longer end the process.
client::FileDescriptor stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  client::FileDescriptor signals(signalfd(-1, &set, SFD_CLOEXEC));
  if (signals.get() < 0) throw std::runtime_error(std::string("signalfd: ") + std::strerror(errno));
  return signals;
}

// One subscription, from its start to its end.
class Subscriber {
 public:
  explicit Subscriber(const SubFlags& flags)
      : flags_(flags),
        signals_(stop_signals()),
        client_(client_options(flags.broker, flags.connect_timeout_ns)),
        give_up_ns_(client::now_ns() + flags.connect_timeout_ns) {
    client_.subscribe(
        flags.pattern, [this](const Event& event) { print(event); }, flags.group,
        [this](std::string_view refusal) { on_answer(refusal); });
  }

  void run() {
    while (!ended()) {
      std::array<pollfd, 2> watched = {pollfd{client_.fd(), POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0}};
      poll(watched.data(), watched.size(), refusal_ ? -1 : kLookMs);
      if (watched[1].revents != 0) return;
      client_.process();
      std::fflush(stdout);
    }
  }
  std::uint64_t received() const noexcept { return received_; }
  std::uint64_t missed() const noexcept { return client_.missed(); }

 private:
  static constexpr int kLookMs = 100;

  bool ended() const {
    if (!refusal_ && client::now_ns() >= give_up_ns_)
      client::throw_unanswered(client::parse_broker_list(flags_.broker),
                               std::chrono::milliseconds(flags_.connect_timeout_ns / kNsPerMs), wire::Reason::Ok);
    if (refusal_ && !refusal_->empty()) throw std::runtime_error("the broker refuses the subscription: " + *refusal_);
    return done() || std::ferror(stdout) != 0;
  }
  void on_answer(std::string_view refusal) {
    refusal_ = refusal;
    if (refusal.empty())
      fmt::print(stderr, "subscribed to {}; next, elsewhere: mcplane-ctl pub --broker {} TOPIC PAYLOAD\n",
                 flags_.pattern, flags_.broker);
  }
  bool done() const noexcept { return flags_.count != 0 && received_ == flags_.count; }

  void print(const Event& event) {
    if (done()) return;
    ++received_;
    const std::string line = event_line(event, flags_.json);
    std::fwrite(line.data(), 1, line.size(), stdout);
  }

  const SubFlags& flags_;
  client::FileDescriptor signals_;
  AsyncClient client_;
  const std::uint64_t give_up_ns_;
  std::optional<std::string> refusal_;  // once the broker has answered
  std::uint64_t received_ = 0;
};

int mistaken(const std::string& line) { return end(failure(kCtlProgram, line, kExitUsage)); }

}  // namespace

void add_sub_flags(CLI::App& command, SubFlags& flags) {
  command
      .add_option("PATTERN", flags.pattern, "Topics: tokens with dots between, * for any one, > at the end for more")
      ->required();
  add_broker_flags(command, flags.broker, flags.connect_timeout_ns);
  add_text(command, "--group", flags.group, "NAME",
           "Share the events with those that have the same pattern and group: each goes to one");
  add_count(command, "--count", flags.count, "End after so many events; 0: go on until INT");
  add_switch(command, "--json", flags.json, "Print each event as one JSON object, and the total as the last");
}

void add_pub_flags(CLI::App& command, PubFlags& flags) {
  command.add_option("TOPIC", flags.topic, "Tokens with dots between")->required();
  command.add_option("PAYLOAD", flags.payload, "What its subscribers get; - is stdin")->required();
  add_broker_flags(command, flags.broker, flags.connect_timeout_ns);
}

std::string event_line(const Event& event, bool json) {
  if (json) return json_line({{"topic", event.topic}, {"payload", event.payload}});
  return one_line(event.topic) + " " + one_line(event.payload) + "\n";
}

std::string total_line(std::uint64_t received, std::uint64_t missed, bool json) {
  if (json) return json_line({{"received", received}, {"missed", missed}});
  return fmt::format("{} event{}, {} missed\n", received, received == 1 ? "" : "s", missed);
}

std::string payload_of(const PubFlags& flags, std::istream& input) {
  if (flags.payload != "-") return flags.payload;
  std::string text(kPayloadBytesMax, '\0');
  input.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(input.gcount()));
  return text;
}

int run_sub(const SubFlags& flags) {
  if (const std::string line = broker_mistake(flags.broker); !line.empty()) return mistaken(line);
  try {
    client::subscription_table(flags.pattern, flags.group);  // a mistake shows without a broker
    Subscriber subscriber(flags);
    subscriber.run();
    const std::string total = total_line(subscriber.received(), subscriber.missed(), flags.json);
    std::fputs(total.c_str(), flags.json ? stdout : stderr);
    return kExitOk;
  } catch (const std::invalid_argument& error) {
    return mistaken(error.what());
  } catch (const std::runtime_error& error) {
    return end(failure(kCtlProgram, error.what(), kExitBrokerUnreachable));
  }
}

int run_pub(const PubFlags& flags) {
  if (const std::string line = broker_mistake(flags.broker); !line.empty()) return mistaken(line);
  try {
    client::publication_table(flags.topic);  // as in run_sub()
    const std::string payload = payload_of(flags, std::cin);
    // Its end waits until what was published has left.
    Client(client_options(flags.broker, flags.connect_timeout_ns)).publish(flags.topic, payload);
    return kExitOk;
  } catch (const std::invalid_argument& error) {
    return mistaken(error.what());
  } catch (const std::runtime_error& error) {
    return end(failure(kCtlProgram, error.what(), kExitBrokerUnreachable));
  }
}

}  // namespace mcplane::app
