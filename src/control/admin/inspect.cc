// See inspect.h. 400: a parameter is wrong; 404: there is no such task; 409: a capture is on.
#include "control/admin/inspect.h"

#include <fmt/core.h>
#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "control/control.h"
#include "control/reports/route_report.h"
#include "control/reports/selectors.h"
#include "control/reports/task_report.h"

namespace mcplane::control {
namespace {

using httplib::Request;
using httplib::Response;

constexpr std::size_t kTasksDefault = 100, kTasksMax = 10'000;
// So long a stream waits for frames, before it looks whether it is to end.
constexpr std::chrono::milliseconds kStreamPatience(100);
constexpr std::uint64_t kFramesMax = 1'000'000, kSecondsMax = 3'600;

// Absent: `standard`. nullopt: no number within bounds.
std::optional<std::uint64_t> number_of(const Request& request, const char* name, std::uint64_t standard,
                                       std::uint64_t max) {
  if (!request.has_param(name)) return standard;
  const std::string text = request.get_param_value(name);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > max) return std::nullopt;
  return value;
}

Answer bad_number(const char* name, std::uint64_t max) {
  return error_answer(400, fmt::format("{} is no number from 1 to {}", name, max));
}

// Calls take(word) for each of a list between commas; false: it did not know one, which is `unknown` then.
template <class Take>
bool each_word(std::string_view list, std::string& unknown, Take take) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view word = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    unknown = word;
    if (!take(word)) return false;
  }
  return true;
}

template <class Names>
std::string joined(const Names& names) {
  std::string text;
  for (const auto& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

std::optional<std::uint32_t> state_bit(std::string_view name) {
  const auto found = std::ranges::find(state::kTaskStateNames, name);
  if (found == state::kTaskStateNames.end() || found == state::kTaskStateNames.begin()) return std::nullopt;
  return 1U << (found - state::kTaskStateNames.begin());
}

Answer list_tasks(const Request& request, const AskCores& ask_cores) {
  Inquiry inquiry;
  const auto limit = number_of(request, "limit", kTasksDefault, kTasksMax);
  if (!limit) return bad_number("limit", kTasksMax);
  inquiry.enough = *limit;
  if (const std::string route = request.get_param_value("route"); !route.empty()) {
    const auto selector = selector_of_route(route);
    if (!selector) return error_answer(400, fmt::format("'{}' names no route; type ACTION or ACTION/MODEL", route));
    inquiry.question.route = *selector;
  }
  if (const std::string states = request.get_param_value("state"); !states.empty()) {
    inquiry.question.states = 0;
    std::string unknown;
    const bool known = each_word(states, unknown, [&](std::string_view name) {
      const auto bit = state_bit(name);
      inquiry.question.states |= bit.value_or(0);
      return bit.has_value();
    });
    if (!known)
      return error_answer(400, fmt::format("'{}' is no state; there are {}", unknown,
                                           joined(std::span(state::kTaskStateNames).subspan(1))));
  }
  return ask_cores(inquiry, [limit](const Control& control, const Found& found) {
    Found enough = found;
    enough.more = enough.more || enough.tasks.size() > *limit;
    std::ranges::stable_sort(enough.tasks, std::ranges::greater{}, &state::TaskCopy::age_ms);
    enough.tasks.resize(std::min<std::size_t>(enough.tasks.size(), *limit));
    return Answer{200, tasks_json(control, enough), kJson};
  });
}

Answer explain(const std::string& name, const AskCores& ask_cores) {
  const auto inquiry = inquiry_of(name);
  if (!inquiry) return error_answer(400, "a task is named by its id, 32 hexadecimal digits, or its token");
  return ask_cores(*inquiry, [name](const Control& control, const Found& found) {
    if (found.tasks.empty())
      return error_answer(404, fmt::format("no core has a task {}: it has ended, or never came", name));
    return Answer{200, explanation_json(control, found), kJson};
  });
}

std::uint64_t unix_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

std::optional<std::uint32_t> type_bit(std::string_view typed) {
  for (const wire::FrameType type : wire::fb::EnumValuesFrameType()) {
    const std::string_view name = wire::fb::EnumNameFrameType(type);
    const bool same = std::ranges::equal(
        name, typed, [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
    if (same) return 1U << raw(type);
  }
  return std::nullopt;
}

// What is wrong with the request; "": the order is complete.
std::string read_order(const Request& request, CaptureOrder& order) {
  const auto frames = number_of(request, "count", 1'000, kFramesMax);
  const auto seconds = number_of(request, "seconds", 10, kSecondsMax);
  const auto snap = number_of(request, "snap", state::CapturedFrame::kBytesMax, state::CapturedFrame::kBytesMax);
  if (!frames) return fmt::format("count is no number from 1 to {}", kFramesMax);
  if (!seconds) return fmt::format("seconds is no number from 1 to {}", kSecondsMax);
  if (!snap) return fmt::format("snap is no number from 1 to {}", state::CapturedFrame::kBytesMax);
  order = {.frames_max = *frames, .duration_ns = *seconds * kNsPerSecond, .unix_ns = unix_ns};
  order.filter.snap_bytes = static_cast<std::uint16_t>(*snap);
  if (const std::string peer = request.get_param_value("peer"); !peer.empty()) {
    order.filter.peer = wire::parse_ip(peer);
    if (!order.filter.peer) return fmt::format("'{}' is no IP address", peer);
  }
  std::string unknown;
  const bool known = each_word(request.get_param_value("type"), unknown, [&](std::string_view name) {
    const auto bit = type_bit(name);
    order.filter.types |= bit.value_or(0);
    return bit.has_value();
  });
  return known ? "" : fmt::format("'{}' is no frame type", unknown);
}

// The file, as it grows.
void stream(const std::shared_ptr<CaptureFile>& file, Response& response) {
  response.set_chunked_content_provider(
      "application/vnd.tcpdump.pcap",
      [file](std::size_t, httplib::DataSink& sink) {
        const auto bytes = file->take(kStreamPatience);
        if (!bytes) return sink.done(), true;
        return bytes->empty() ? sink.is_writable() : sink.write(bytes->data(), bytes->size());
      },
      [file](bool) { file->abandon(); });
}

void capture(const Request& request, Response& response, const Ask& ask) {
  CaptureOrder order;
  if (const std::string error = read_order(request, order); !error.empty())
    return give(error_answer(400, error), response);
  // The request may outlive this call when control is late: then nobody reads the file, and it ends by itself.
  const auto file = std::make_shared<std::shared_ptr<CaptureFile>>();
  const Answer answer = ask([order, file](Control& control) {
    *file = control.capture(order);
    return *file != nullptr ? Answer{} : error_answer(409, "a capture is on; only one is at a time");
  });
  if (answer.status != 200) return give(answer, response);
  stream(*file, response);
}

Answer capture_counts(const Control& control) {
  const Captures& captures = control.captures();
  const nlohmann::ordered_json json = {
      {"on", captures.on()}, {"frames", captures.frames()}, {"missed", captures.missed()}};
  return {200, json.dump() + "\n", kJson};
}

}  // namespace

AskCores ask_cores_of(Control& control, std::chrono::milliseconds patience) {
  constexpr int kPatienceTimes = 4;
  return [&control, patience = kPatienceTimes * patience](const Inquiry& inquiry, Report report) {
    return await_answer(
        control, patience, "the cores are busy", [inquiry, report = std::move(report), &control](const Tell& tell) {
          const bool taken =
              control.inquire(inquiry, [tell, report, &control](const Found& found) { tell(report(control, found)); });
          if (!taken) tell(error_answer(503, "too many questions wait for the cores"));
        });
  };
}

void serve_inspection(httplib::Server& server, const Ask& ask, const AskCores& ask_cores) {
  server.Get("/v1/routes", [=](const Request&, Response& response) {
    give(ask_cores(routes_inquiry(),
                   [](const Control& control, const Found& found) {
                     return Answer{200, routes_json(control, found), kJson};
                   }),
         response);
  });
  server.Get("/v1/tasks",
             [=](const Request& request, Response& response) { give(list_tasks(request, ask_cores), response); });
  server.Get("/v1/tasks/([0-9a-f:-]{1,64})", [=](const Request& request, Response& response) {
    give(explain(request.matches[1], ask_cores), response);
  });
  server.Get("/v1/capture", [=](const Request&, Response& response) { give(ask(capture_counts), response); });
  server.Post("/v1/capture", [=](const Request& request, Response& response) { capture(request, response, ask); });
}

}  // namespace mcplane::control
