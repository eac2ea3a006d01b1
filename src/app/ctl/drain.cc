// Its breaker is held open: tasks that it has go on. See drain.h.
#include "app/ctl/drain.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/ctl/breaker.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookEvery(100);

struct Drained {
  bool gone = false;
  std::uint64_t held = 0;
  std::uint64_t waited_ms = 0;
};

int say(const DrainFlags& flags, const Drained& outcome) {
  const bool drained = outcome.gone || outcome.held == 0;
  if (flags.admin.json)
    end({kExitOk, Json{{"node_id", flags.node},
                       {"drained", drained},
                       {"gone", outcome.gone},
                       {"held", outcome.held},
                       {"waited_ms", outcome.waited_ms}}
                          .dump() +
                      "\n"});
  if (!drained)
    return end(failure(kCtlProgram,
                       fmt::format("{} still holds {} tasks; it gets no new ones, drain --undo gives it some again",
                                   flags.node, outcome.held),
                       kExitRuntime));
  if (flags.admin.json) return kExitOk;
  return end({kExitOk, fmt::format("{} {} after {}\n", flags.node, outcome.gone ? "has left" : "holds no task",
                                   format_duration_ns(outcome.waited_ms * kNsPerMs))});
}

void show_progress(const DrainFlags& flags, std::uint64_t held) {
  std::fprintf(stderr, "%s: %s holds %llu tasks\n", kCtlProgram, flags.node.c_str(),
               static_cast<unsigned long long>(held));
}

int wait(const DrainFlags& flags) {
  const auto began = Clock::now();
  std::uint64_t shown = 0;
  for (;;) {
    const auto reply = ask(flags.admin, {Method::kGet, "/v1/nodes"});
    if (!reply) return kExitBrokerUnreachable;
    const auto held = tasks_held(reply->body, flags.node);
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    const Drained outcome{!held, held.value_or(0), static_cast<std::uint64_t>(waited.count())};
    if (outcome.gone || outcome.held == 0 || outcome.waited_ms * kNsPerMs >= flags.timeout_ns)
      return say(flags, outcome);
    if (outcome.held != std::exchange(shown, outcome.held)) show_progress(flags, outcome.held);
    std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace

void add_drain_flags(CLI::App& command, DrainFlags& flags) {
  add_admin_flags(command, flags.admin);
  add_node(command, flags.node);
  CLI::Option* const undo =
      add_switch(command, "--undo", flags.undo, "Leave its breaker to itself again, so it gets tasks");
  add_duration(command, "--timeout", flags.timeout_ns, "Wait at most so long")->excludes(undo);
}

std::optional<std::uint64_t> tasks_held(std::string_view nodes, const std::string& node) {
  const Json answer = Json::parse(nodes, nullptr, false);
  if (!answer.is_object() || !answer.contains("nodes")) return std::nullopt;
  for (const Json& known : answer["nodes"])
    if (known.value("node_id", "") == node) return known.value("outstanding", std::uint64_t{0});
  return std::nullopt;
}

int run_drain(const DrainFlags& flags) {
  const Request request = breaker_request({flags.admin, flags.undo ? "auto" : "force-open", flags.node, ""});
  const auto reply = ask(flags.admin, request);
  if (!reply) return kExitBrokerUnreachable;
  if (reply->status != 200) return print_refusal(request, *reply);
  return flags.undo ? print_reply(flags.admin, *reply, breaker_table) : wait(flags);
}

}  // namespace mcplane::app
