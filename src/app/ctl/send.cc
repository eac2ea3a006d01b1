// See send.h.
#include "app/ctl/send.h"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include "app/ctl/outcome.h"
#include "app/telemetry/trace_flags.h"
#include "base/types.h"
#include "client/broker_address.h"
#include "client/encoded_task.h"
#include "mcplane/client.h"
#include "wire/trace.h"

namespace mcplane::app {
namespace {

constexpr const char* kTraceparentSample = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::size_t kFileBytesMax = 64U << 20;

Parsed<std::string> read_all(std::istream& stream, const std::string& name) {
  std::string text(kFileBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  const auto length = static_cast<std::size_t>(stream.gcount());
  if (stream.bad()) return Parsed<std::string>::bad("cannot read " + name + ": " + std::strerror(errno));
  if (length > kFileBytesMax) return Parsed<std::string>::bad(name + " is larger than 64 MiB");
  text.resize(length);
  return Parsed<std::string>::good(std::move(text));
}

Parsed<std::string> read_file(const std::string& path, std::istream& input) {
  if (path == "-") return read_all(input, "stdin");
  std::ifstream file(path, std::ios::binary);
  if (!file) return Parsed<std::string>::bad("cannot read " + quote(path) + ": " + std::strerror(errno));
  return read_all(file, quote(path));
}

Parsed<Task> task_from_file(const SendFlags& flags, std::istream& input) {
  using Result = Parsed<Task>;
  const bool also_flags = !flags.id.empty() || !flags.action.empty() || !flags.prompt.empty() || !flags.model.empty() ||
                          !flags.tags.empty() || !flags.history.empty();
  if (also_flags) return Result::bad("--file holds the whole task; type either --file or the task's own flags");
  const auto text = read_file(flags.file, input);
  if (!text) return Result::bad("--file: " + text.error);
  try {
    return Result::good(task_from_json(*text.value));
  } catch (const std::invalid_argument& error) {
    return Result::bad("--file: " + quote(flags.file) + ": " + error.what());
  }
}

Parsed<Task> task_from_flags(const SendFlags& flags) {
  using Result = Parsed<Task>;
  if (flags.prompt.empty()) return Result::bad("--prompt is missing; type --prompt TEXT or --file task.json");
  Task task;
  task.id = flags.id;
  task.action = flags.action.empty() ? "generate" : flags.action;
  task.model = flags.model;
  task.tags = flags.tags;
  task.prompt = flags.prompt;
  for (const std::string& turn : flags.history) {
    const std::size_t colon = turn.find(':');
    if (colon == 0 || colon == std::string::npos)
      return Result::bad("--history: " + quote(turn) + " has no role; type ROLE:CONTENT, such as user:hello");
    task.history.push_back({turn.substr(0, colon), turn.substr(colon + 1)});
  }
  task.ttl = std::chrono::milliseconds(flags.ttl_ns / kNsPerMs);
  task.priority = flags.priority;
  task.idempotent = flags.idempotent;
  task.shadow = flags.shadow;
  task.affinity = flags.affinity;
  task.traceparent = flags.traceparent;
  // The field `tags` is the flag --tag.
  if (const std::string fault = client::malformed_field(task); !fault.empty())
    return Result::bad(fault.starts_with("tags") ? "--tag" + fault.substr(4) : "--" + fault);
  return Result::good(std::move(task));
}

}  // namespace

void add_broker_flags(CLI::App& command, std::string& broker, std::uint64_t& connect_timeout_ns) {
  add_text(command, "--broker", broker, "HOST[:PORT],...",
           "Broker, required; port 4800 unless typed; the first alive of several");
  add_duration(command, "--connect-timeout", connect_timeout_ns, "Longest wait for the broker's answer",
               {100 * kNsPerMs, 3'600 * kNsPerSecond});
}

std::string broker_mistake(const std::string& broker) {
  if (broker.empty()) return "--broker is missing; type --broker HOST, such as --broker 10.0.0.1";
  try {
    client::parse_broker_list(broker);
    return {};
  } catch (const std::runtime_error& error) {
    return std::string("--broker: ") + error.what();
  }
}

void add_send_flags(CLI::App& command, SendFlags& flags) {
  add_broker_flags(command, flags.broker, flags.connect_timeout_ns);
  add_switch(command, "--json", flags.json, "Print the outcome as one JSON object");
  command.option_defaults()->group("Traces");
  add_trace_flags(command, flags.otlp_endpoint, flags.trace_path);
  command.option_defaults()->group("Task");
  add_text(command, "--file", flags.file, "PATH", "Whole task in its JSON form; - is stdin");
  add_text(command, "--prompt", flags.prompt, "TEXT", "Prompt");
  add_text(command, "--action", flags.action, "NAME", "What the worker is to do [generate]");
  add_text(command, "--model", flags.model, "NAME", "Model it must have [any]");
  add_texts(command, "--tag", flags.tags, "NAME", "Tag it must carry, repeatable");
  add_values(
      command, "--history", "ROLE:CONTENT", "Earlier turn of the conversation, repeatable",
      [&flags](const std::string& typed) {
        flags.history.push_back(typed);
        return std::string();
      },
      false);
  add_duration(command, "--ttl", flags.ttl_ns, "Time to live", {kNsPerMs, 24 * 3'600 * kNsPerSecond});
  add_text(command, "--id", flags.id, "TEXT", "Task id, 1 to 64 bytes [a random UUID]");
  add_count(command, "--priority", flags.priority, "Priority, 0 is the most urgent", {0, 3});
  add_text(command, "--affinity", flags.affinity, "TEXT",
           "Tasks with the same one go to the same worker where the route's policy is prefix");
  add_value(command, "--traceparent", "TEXT", "", "W3C trace context it is part of [a new trace]",
            [&flags](const std::string& typed) {
              flags.traceparent = typed;
              return wire::parse_traceparent(typed)
                         ? std::string()
                         : quote(typed) + " is no traceparent; type one such as " + kTraceparentSample;
            });
  add_switch(command, "--idempotent", flags.idempotent, "It may be executed more than once");
  add_switch(command, "--shadow", flags.shadow, "It goes to shadow workers only, as a load test does");
}

Parsed<Task> make_task(const SendFlags& flags, std::istream& input) {
  return flags.file.empty() ? task_from_flags(flags) : task_from_file(flags, input);
}

namespace {

// What has come and is still to be printed: a reader of standard output may be slow, and the client's own thread, which
// keeps its session, must not wait for it.
struct Coming {
  std::mutex mutex;  // guards the fields below
  std::condition_variable news;
  std::string text;
  std::optional<Outcome> outcome;
};

// Prints the answer as it comes, unless the outcome is to be one JSON object.
SendReport send_and_print(Client& client, Task task, bool json) {
  if (json) return report_on(client.call(std::move(task)), true);
  Coming coming;
  const auto take_chunk = [&coming](std::string_view chunk) {
    const std::lock_guard lock(coming.mutex);
    coming.text += chunk;
    coming.news.notify_one();
  };
  const auto take_outcome = [&coming](Outcome outcome) {
    const std::lock_guard lock(coming.mutex);
    coming.outcome = std::move(outcome);
    coming.news.notify_one();
  };
  client.send(std::move(task), take_chunk, take_outcome);
  std::string last;
  for (bool ended = false; !ended;) {
    std::unique_lock lock(coming.mutex);
    coming.news.wait(lock, [&coming] { return !coming.text.empty() || coming.outcome; });
    std::string text = std::exchange(coming.text, {});
    ended = coming.outcome.has_value();
    lock.unlock();
    if (text.empty()) continue;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    last = std::move(text);
  }
  return report_on(*coming.outcome, false, last);
}

}  // namespace

int run_send(const SendFlags& flags) {
  if (const std::string line = broker_mistake(flags.broker); !line.empty())
    return end(failure(kCtlProgram, line, kExitUsage));
  auto task = make_task(flags, std::cin);
  if (!task) return end(failure(kCtlProgram, task.error, kExitUsage));
  try {
    const auto exporter =
        make_exporter(kCtlProgram, flags.otlp_endpoint, flags.trace_path,
                      [](const std::string& line) { std::fprintf(stderr, "%s: %s\n", kCtlProgram, line.c_str()); });
    TraceOptions trace;
    // Who asks for a trace gets one.
    if (exporter) trace = {.sample = 1, .on_span = [&exporter](Span span) { exporter->add(std::move(span)); }};
    Client client({.broker = flags.broker,
                   .name = kCtlProgram,
                   .slots = 1,
                   .connect_timeout = std::chrono::milliseconds(flags.connect_timeout_ns / kNsPerMs),
                   .trace = std::move(trace)});
    const SendReport report = send_and_print(client, std::move(*task.value), flags.json);
    std::fwrite(report.standard_output.data(), 1, report.standard_output.size(), stdout);
    std::fputs(report.standard_error.c_str(), stderr);
    return report.exit_code;
  } catch (const std::runtime_error& error) {
    return end(failure(kCtlProgram, error.what(), kExitBrokerUnreachable));
  }
}

}  // namespace mcplane::app
