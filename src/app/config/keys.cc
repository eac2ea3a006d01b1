// A row is a name, a form (how text becomes a value and back) and a place to keep it.
#include "app/config/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "app/command_line/cli.h"
#include "app/command_line/mistake.h"
#include "wire/route_table.h"

namespace mcplane::app {
namespace {

using control::RouteSettings;
using control::Settings;

template <class T>
struct Form {
  std::string takes;
  std::function<Parsed<T>(const std::string&)> parse;
  std::function<std::string(const T&)> show;
  KeyForm form = KeyForm::kText;
};

using Whole = Form<std::uint64_t>;
using Real = Form<double>;

Whole whole(const char* type, Bounds bounds, Parsed<std::uint64_t> (*parse)(std::string_view),
            std::string (*show)(std::uint64_t), KeyForm form) {
  const auto read = [=](const std::string& typed) {
    auto parsed = parse(typed);
    if (!parsed) return parsed;
    std::string error = bounds_error(typed, *parsed.value, bounds, show);
    return error.empty() ? parsed : Parsed<std::uint64_t>::bad(std::move(error));
  };
  return {fmt::format("{}, {} to {}", type, show(bounds.min), show(bounds.max)), read, show, form};
}

Whole count(std::uint64_t min, std::uint64_t max) {
  return whole("COUNT", {min, max}, parse_count, format_count, KeyForm::kNumber);
}
Whole duration(std::uint64_t min_ns, std::uint64_t max_ns) {
  return whole("DURATION", {min_ns, max_ns}, parse_duration_ns, format_duration_ns, KeyForm::kQuantity);
}

Real real(const char* type, double min, double max, Parsed<double> (*parse)(std::string_view),
          std::string (*show)(double), KeyForm form) {
  const auto read = [=](const std::string& typed) {
    auto parsed = parse(typed);
    if (!parsed || (*parsed.value >= min && *parsed.value <= max)) return parsed;
    return Parsed<double>::bad(fmt::format("{} is out of range; type {} to {}", quote(typed), show(min), show(max)));
  };
  return {fmt::format("{}, {} to {}", type, show(min), show(max)), read, show, form};
}

Real share(double min, double max) { return real("SHARE", min, max, parse_share, format_share, KeyForm::kQuantity); }
Real rate() {
  constexpr double kMax = 1e9;
  return real("RATE", 0, kMax, parse_rate_per_second, format_rate_per_second, KeyForm::kQuantity);
}
Real factor(double min, double max) {
  return real(
      "NUMBER", min, max, parse_factor, [](double value) { return fmt::format("{}", value); }, KeyForm::kNumber);
}

Form<bool> yes_or_no() {
  const auto read = [](const std::string& typed) {
    if (typed == "true" || typed == "false") return Parsed<bool>::good(typed == "true");
    return Parsed<bool>::bad(quote(typed) + " is no switch; type true or false");
  };
  return {"true or false", read, [](const bool& on) { return std::string(on ? "true" : "false"); }, KeyForm::kNumber};
}

// `names`: by the enum's values.
template <class Enum>
Form<Enum> name_among(const std::vector<std::string>& names) {
  const auto read = [names](const std::string& typed) {
    const auto found = std::ranges::find(names, typed);
    if (found != names.end()) return Parsed<Enum>::good(static_cast<Enum>(found - names.begin()));
    const std::string meant = nearest(typed, names);
    return Parsed<Enum>::bad(quote(typed) + " is none; " +
                             (meant.empty() ? "type " + alternatives(names) : "did you mean " + meant + "?"));
  };
  return {alternatives(names), read, [names](const Enum& value) { return names[static_cast<std::size_t>(value)]; }};
}

Form<std::string> label() {
  const auto read = [](const std::string& typed) {
    if (wire::is_name(typed)) return Parsed<std::string>::good(typed);
    return Parsed<std::string>::bad(
        fmt::format("{} is no name; type 1 to {} bytes, none a control character", quote(typed), wire::kNameBytesMax));
  };
  return {fmt::format("NAME, 1 to {} bytes", wire::kNameBytesMax), read,
          [](const std::string& value) { return value; }};
}

Form<std::string> text(std::size_t bytes_max) {
  const auto read = [bytes_max](const std::string& typed) {
    if (!typed.empty() && typed.size() <= bytes_max) return Parsed<std::string>::good(typed);
    return Parsed<std::string>::bad(
        fmt::format("{} has {} bytes; type 1 to {}", quote(typed), typed.size(), bytes_max));
  };
  return {fmt::format("TEXT, 1 to {} bytes", bytes_max), read, [](const std::string& value) { return value; }};
}

Form<std::vector<wire::Substitute>> chain() {
  using Chain = std::vector<wire::Substitute>;
  const std::vector<std::string> names(wire::kSubstituteNames.begin() + 1, wire::kSubstituteNames.end());
  const auto one = name_among<std::uint8_t>(names);
  const auto read = [one](const std::string& typed) {
    Chain chain;
    for (std::size_t at = 0; at < typed.size();) {
      const std::size_t end = std::min(typed.find(", ", at), typed.size());
      const auto parsed = one.parse(typed.substr(at, end - at));
      if (!parsed) return Parsed<Chain>::bad(parsed.error);
      const auto kind = static_cast<wire::Substitute>(*parsed.value + 1);
      if (std::ranges::find(chain, kind) != chain.end())
        return Parsed<Chain>::bad(quote(typed.substr(at, end - at)) + " is there twice; type it once");
      chain.push_back(kind);
      at = end + 2;
    }
    return Parsed<Chain>::good(std::move(chain));
  };
  return {"list of " + alternatives(names), read, control::chain_text, KeyForm::kList};
}

// `kept` gives the field of a constant or changeable Owner.
template <class Owner, class T, class Kept>
HotKey<Owner> row(const char* path, const Form<T>& form, const char* meaning, Kept kept) {
  HotKey<Owner> key{path, form.takes, meaning, form.form, {}, {}};
  key.accept = [parse = form.parse, kept](Owner& owner, const std::string& typed) {
    auto parsed = parse(typed);
    auto& field = kept(owner);
    if (parsed) field = static_cast<std::remove_reference_t<decltype(field)>>(*parsed.value);
    return parsed.error;
  };
  key.show = [show = form.show, kept](const Owner& owner) { return show(kept(owner)); };
  return key;
}

constexpr std::uint64_t kHourNs = 3'600 * kNsPerSecond;
constexpr std::uint64_t kTasksMax = 1'000'000;

}  // namespace

std::vector<HotKey<Settings>> settings_keys() {
  std::vector<HotKey<Settings>> keys;
  const auto add = [&keys](const char* path, const auto& form, const char* meaning, auto kept) {
    keys.push_back(row<Settings>(path, form, meaning, kept));
  };
  add(
      "scheduling.slow-start", duration(0, kHourNs), "A new or recovered worker's slots grow from 1 to all in it",
      [](auto& s) -> auto& { return s.slow_start_ns; });

  add(
      "breaker.enabled", yes_or_no(), "Whether a worker that fails is left out for a while",
      [](auto& s) -> auto& { return s.breaker.enabled; });
  add(
      "breaker.per-action", yes_or_no(), "Whether one that has several actions is left out for one of them alone",
      [](auto& s) -> auto& { return s.breaker.per_action; });
  add(
      "breaker.window", count(10, 100), "Outcomes of a worker looked at",
      [](auto& s) -> auto& { return s.breaker.window; });
  add(
      "breaker.outcomes-min", count(1, 100), "Outcomes before their share counts",
      [](auto& s) -> auto& { return s.breaker.outcomes_min; });
  add(
      "breaker.failure-share", share(0.01, 1), "Failed or slow of the window, that opens",
      [](auto& s) -> auto& { return s.breaker.failure_share; });
  add(
      "breaker.consecutive", count(1, 1'000), "Failures in a row, that open",
      [](auto& s) -> auto& { return s.breaker.consecutive; });
  add(
      "breaker.slow", duration(0, kHourNs), "In the worker, from which an answer counts as slow; 0s: none does",
      [](auto& s) -> auto& { return s.breaker.slow_ns; });
  add(
      "breaker.open", duration(kNsPerMs, kHourNs), "How long it opens; the n-th time in a row n times as long",
      [](auto& s) -> auto& { return s.breaker.open_ns; });
  add(
      "breaker.open-max", duration(kNsPerMs, 24 * kHourNs), "The longest it opens",
      [](auto& s) -> auto& { return s.breaker.open_max_ns; });
  add(
      "breaker.jitter", share(0, 1), "Of that time, at most, drawn and added",
      [](auto& s) -> auto& { return s.breaker.jitter; });
  add(
      "breaker.probes", count(1, 100), "Tasks let through half-open; all must succeed",
      [](auto& s) -> auto& { return s.breaker.probes; });
  add(
      "breaker.ejected-share-max", share(0, 1), "Of a pool's workers, left out at once",
      [](auto& s) -> auto& { return s.breaker.ejected_share_max; });

  add(
      "probe.interval", duration(10 * kNsPerMs, kHourNs), "Between two questions to a worker that names a health probe",
      [](auto& s) -> auto& { return s.probe.interval_ns; });
  add(
      "probe.timeout", duration(kNsPerMs, kHourNs), "Wait for its answer; at most the interval",
      [](auto& s) -> auto& { return s.probe.timeout_ns; });
  add(
      "probe.rise", count(1, 100), "Good answers in a row, that take a worker in again; the first time, one does",
      [](auto& s) -> auto& { return s.probe.rise; });
  add(
      "probe.fall", count(1, 100), "Failures in a row, that take it out",
      [](auto& s) -> auto& { return s.probe.fall; });
  add(
      "probe.jitter", share(0, 1), "Of the interval, at most, drawn and added or taken off",
      [](auto& s) -> auto& { return s.probe.jitter; });

  add(
      "trace.sample", share(0, 1), "Of all tasks, traced, by their trace ids; besides those that their clients sample",
      [](auto& s) -> auto& { return s.trace.sample; });
  add(
      "trace.slow", duration(0, kHourNs), "From task to answer, from which a task is traced; 0s: none",
      [](auto& s) -> auto& { return s.trace.slow_ns; });

  add(
      "client.rate", rate(), "Tasks of each client; 0/s: no limit",
      [](auto& s) -> auto& { return s.client.tasks_per_s; });
  add(
      "client.burst", count(0, kTasksMax), "Tasks of it at once; 0: a tenth of a second's",
      [](auto& s) -> auto& { return s.client.burst; });
  add(
      "client.concurrency", count(0, kTasksMax), "Tasks of it accepted and not ended; 0: no limit",
      [](auto& s) -> auto& { return s.client.concurrency; });

  add(
      "autoscale.target", share(0.01, 1), "Of a pool's slots, in use: workers are wanted for it",
      [](auto& s) -> auto& { return s.autoscale.target; });
  add(
      "autoscale.tolerance", share(0, 1), "Of the target: a smaller difference wants no change",
      [](auto& s) -> auto& { return s.autoscale.tolerance; });
  add(
      "autoscale.scale-up-window", duration(0, kHourNs), "More are wanted once they were as long",
      [](auto& s) -> auto& { return s.autoscale.up_window_ns; });
  add(
      "autoscale.scale-down-window", duration(0, kHourNs), "Fewer are wanted once they were as long",
      [](auto& s) -> auto& { return s.autoscale.down_window_ns; });
  add(
      "autoscale.min", count(1, 65'536), "Workers of a pool, at least",
      [](auto& s) -> auto& { return s.autoscale.min; });
  add(
      "autoscale.max", count(1, 65'536), "Workers of a pool, at most",
      [](auto& s) -> auto& { return s.autoscale.max; });
  return keys;
}

std::vector<HotKey<RouteSettings>> route_keys() {
  std::vector<HotKey<RouteSettings>> keys;
  const auto add = [&keys](const char* path, const auto& form, const char* meaning, auto kept) {
    keys.push_back(row<RouteSettings>(path, form, meaning, kept));
  };
  add(
      "action", label(), "Tasks it is for, \"*\": all; required; the first route that matches holds",
      [](auto& r) -> auto& { return r.action; });
  add(
      "model", label(), "Only tasks of that model", [](auto& r) -> auto& { return r.model; });
  add(
      "policy", name_among<state::Policy>({state::kPolicyNames.begin(), state::kPolicyNames.end()}),
      "How it chooses among workers", [](auto& r) -> auto& { return r.policy; });
  add(
      "imbalance", factor(1, 100), "Policies session and prefix: load over the mean of all that they bear",
      [](auto& r) -> auto& { return r.imbalance; });
  add(
      "degrade", chain(), "What answers while none of its workers is in; the first that can be had",
      [](auto& r) -> auto& { return r.degrade.chain; });
  add(
      "degrade-when", name_among<control::DegradeWhen>({"auto", "always", "never"}),
      "While no worker is in, whoever is in, or never", [](auto& r) -> auto& { return r.degrade.when; });
  add(
      "cache-ttl", duration(kNsPerMs, 24 * kHourNs), "cached: how old an answer may be",
      [](auto& r) -> auto& { return r.degrade.cache_ttl_ns; });
  add(
      "fallback-action", label(), "fallback: workers that serve this one stand in",
      [](auto& r) -> auto& { return r.degrade.fallback_action; });
  add(
      "fallback-model", label(), "fallback: workers that have this one stand in",
      [](auto& r) -> auto& { return r.degrade.fallback_model; });
  add(
      "reply", text(control::kReplyBytesMax), "reply: the text of the answer",
      [](auto& r) -> auto& { return r.degrade.reply; });
  add(
      "rate", rate(), "Tasks of all clients together; 0/s: no limit",
      [](auto& r) -> auto& { return r.limits.tasks_per_s; });
  add(
      "burst", count(0, kTasksMax), "Tasks at once; 0: a tenth of a second's",
      [](auto& r) -> auto& { return r.limits.burst; });
  add(
      "concurrency", count(0, kTasksMax), "Tasks accepted and not ended; 0: no limit",
      [](auto& r) -> auto& { return r.limits.concurrency; });
  add(
      "mirror", share(0, 1), "Of its tasks, copied to shadow workers; what those answer is dropped",
      [](auto& r) -> auto& { return r.mirror; });
  return keys;
}

}  // namespace mcplane::app
