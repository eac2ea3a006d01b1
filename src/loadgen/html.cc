// The page of a run: pictures as inline SVG, the figures as a table, everything in one file that asks nobody for
// anything. See report.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "loadgen/report.h"
#include "loadgen/svg_chart.h"

namespace mcplane::loadgen {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ground: #fcfcfd; --card: #ffffff; --text: #1c2330; --muted: #667085;
  --rule: #e4e7ec; --one: #2563eb; --two: #d97706; --three: #be123c; --fill: #93b4f5; --shade: #eef2f7; }
@media (prefers-color-scheme: dark) { :root { --ground: #11151c; --card: #181e28; --text: #e6e9ef; --muted: #98a2b3;
  --rule: #2b3442; --one: #7aa7ff; --two: #f5b04c; --three: #fb7185; --fill: #3e62a8; --shade: #202836; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 24px; background: var(--ground); color: var(--text);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1360px; margin: 0 auto; }
h1 { font-size: 20px; margin: 0 0 4px; }
p { margin: 0 0 10px; color: var(--muted); }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 12px; margin: 0 0 16px;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }
.warning { border-left: 4px solid var(--two); background: var(--card); color: var(--text); padding: 8px 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin: 0 0 16px; }
.tiles div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 12px; }
.tiles b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--muted); font-size: 12px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 16px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 14px; }
figcaption { font-weight: 600; }
.legend { min-height: 20px; color: var(--muted); font-size: 12px; }
.legend span { margin-right: 14px; }
.legend i { display: inline-block; width: 14px; height: 0; border-top: 3px solid; margin-right: 5px;
  vertical-align: middle; }
.legend i.shade { height: 10px; border: 0; background: var(--shade); }
i.line1 { color: var(--one); } i.line2 { color: var(--two); } i.line3 { color: var(--three); }
i.guide { color: var(--muted); border-top-style: dashed; border-top-width: 2px; }
figure table { border: 0; width: 100%; margin-top: 10px; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--muted); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .note { fill: var(--text); stroke: var(--card); stroke-width: 3px; paint-order: stroke; }
.grid { stroke: var(--rule); stroke-width: 1; }
.guide { stroke: var(--muted); stroke-dasharray: 5 4; }
.mark { stroke: var(--three); stroke-dasharray: 2 3; }
.shade { fill: var(--shade); }
.bar { fill: var(--fill); } .bar:hover { fill: var(--one); }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
polyline.line1 { stroke: var(--one); } polyline.line2 { stroke: var(--two); } polyline.line3 { stroke: var(--three); }
circle.line1 { fill: var(--one); } circle.line2 { fill: var(--two); } circle.line3 { fill: var(--three); }
.tables { display: flex; flex-wrap: wrap; gap: 16px; margin-top: 16px; align-items: flex-start; }
table { border-collapse: collapse; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
td, th { padding: 3px 12px; border-bottom: 1px solid var(--rule); font-variant-numeric: tabular-nums; }
th { text-align: right; color: var(--muted); font-weight: 600; }
td:first-child, th:first-child { text-align: left; }
td { text-align: right; }
)";

// "250 us", "1.5 ms".
std::string time_label(double microseconds) {
  if (microseconds < 1'000) return fmt::format("{:.3g} us", microseconds);
  if (microseconds < 1'000'000) return fmt::format("{:.3g} ms", microseconds / 1'000);
  return fmt::format("{:.3g} s", microseconds / 1'000'000);
}

// "12.5k".
std::string count_label(double count) {
  if (count < 1'000) return fmt::format("{:.3g}", count);
  if (count < 1'000'000) return fmt::format("{:.4g}k", count / 1'000);
  return fmt::format("{:.4g}M", count / 1'000'000);
}

std::string second_label(double since_start) { return fmt::format("{:.4g} s", since_start); }

// Latencies in bars of equal width on a logarithmic axis.
std::string latency_chart(const Histogram& histogram) {
  constexpr std::size_t kBars = 80;
  double least_us = 0, most_us = 0;
  histogram.for_each_bucket([&](std::uint64_t lower, std::uint64_t upper, std::uint64_t) {
    if (most_us == 0) least_us = std::max(us(lower), 0.1);
    most_us = us(upper);
  });
  const double low = least_us / 1.1, width = std::log(most_us * 1.1 / low) / kBars;
  std::vector<std::uint64_t> counts(kBars);
  histogram.for_each_bucket([&](std::uint64_t lower, std::uint64_t upper, std::uint64_t count) {
    const double middle_us = std::max((us(lower) + us(upper)) / 2, low);
    counts[std::min(static_cast<std::size_t>(std::log(middle_us / low) / width), kBars - 1)] += count;
  });
  const auto most = static_cast<double>(*std::ranges::max_element(counts));
  SvgChart chart("Latency, from when a task was due to its answer", {"latency", low, most_us * 1.1, true, time_label},
                 Axis::from_zero("answers", most, count_label));
  for (std::size_t i = 0; i < kBars; ++i) {
    if (counts[i] == 0) continue;
    const double from = low * std::exp(width * static_cast<double>(i)), to = from * std::exp(width);
    chart.bar(from, to, static_cast<double>(counts[i]),
              fmt::format("{} answers, {} to {}", counts[i], time_label(from), time_label(to)));
  }
  for (const auto& [name, percent] : {std::pair{"p50", 50.0}, std::pair{"p99", 99.0}, std::pair{"p99.9", 99.9}}) {
    const double at_us = us(histogram.percentile(percent));
    chart.mark(at_us, fmt::format("{} {}", name, time_label(at_us)));
  }
  return chart.take();
}

std::vector<ChartPoint> over_time(const Tally& tally, double (*value)(const Interval&)) {
  std::vector<ChartPoint> points;
  for (const Interval& interval : tally.intervals)
    points.push_back({seconds(interval.from_ns + interval.length_ns), value(interval)});
  return points;
}

// What came before the measured part: ramp and warm-up.
void shade_unmeasured(SvgChart& chart, const Options& options) {
  const std::uint64_t until_ns = options.warmup_ns + (options.sweep ? 0 : options.ramp_ns);
  if (until_ns > 0) chart.shade(0, seconds(until_ns), "not measured");
}

Axis time_axis(const Tally& tally) {
  const Interval& last = tally.intervals.back();
  return {"since the start", 0, seconds(last.from_ns + last.length_ns), false, second_label};
}

std::string percentiles_chart(const Options& options, const Tally& tally) {
  double least = 0, most = 0;
  for (const Interval& interval : tally.intervals) {
    if (interval.p50_ns == 0) continue;
    least = least == 0 ? us(interval.p50_ns) : std::min(least, us(interval.p50_ns));
    most = std::max(most, us(interval.p999_ns));
  }
  if (most == 0) return {};
  SvgChart chart(options.sweep ? "Percentiles over time, at the knee" : "Percentiles over time", time_axis(tally),
                 Axis::decades("latency", least, most, time_label));
  shade_unmeasured(chart, options);
  const auto add = [&](std::string_view name, double (*value)(const Interval&)) {
    std::vector<ChartPoint> points = over_time(tally, value);
    std::erase_if(points, [](const ChartPoint& point) { return point.y == 0; });  // nothing was answered
    chart.line(points, name);
  };
  add("p50", [](const Interval& interval) { return us(interval.p50_ns); });
  add("p99", [](const Interval& interval) { return us(interval.p99_ns); });
  add("p99.9", [](const Interval& interval) { return us(interval.p999_ns); });
  return chart.take();
}

double rate_of(std::uint64_t count, const Interval& interval) noexcept {
  return static_cast<double>(count) / std::max(seconds(interval.length_ns), 1e-9);
}

std::string throughput_chart(const Options& options, const RunResult& result) {
  const Tally& tally = result.tally;
  const auto sent = over_time(tally, [](const Interval& interval) { return rate_of(interval.sent, interval); });
  const auto delivered =
      over_time(tally, [](const Interval& interval) { return rate_of(interval.delivered, interval); });
  const auto failed =
      over_time(tally, [](const Interval& interval) { return rate_of(interval.refused + interval.lost, interval); });
  const double target = options.open_loop() ? target_rate(options, result) : 0;
  double most = target;
  for (const auto* const points : {&sent, &delivered, &failed})
    for (const ChartPoint& point : *points) most = std::max(most, point.y);
  const Axis time = time_axis(tally);
  SvgChart chart(
      options.sweep ? "Offered and achieved at the knee, tasks a second" : "Offered and achieved, tasks a second", time,
      Axis::from_zero("tasks/s", most, count_label));
  shade_unmeasured(chart, options);
  if (target > 0) chart.guide({0, target}, {time.high, target}, "target");
  chart.line(sent, "sent");
  chart.line(delivered, "answered");
  chart.line(failed, "rejected or lost");
  return chart.take();
}

std::string sweep_charts(const RunResult& result) {
  const std::vector<SweepStep> steps = sorted_by_rate(result.sweep);
  std::vector<ChartPoint> achieved, p50, p99, p999;
  double most_rate = 0, least_us = 0, most_us = us(result.sweep_p99_max_ns);
  for (const SweepStep& step : steps) {
    const double offered = step.offered_per_second;
    achieved.push_back({offered, step.achieved_per_second});
    p50.push_back({offered, us(step.p50_ns)});
    p99.push_back({offered, us(step.p99_ns)});
    p999.push_back({offered, us(step.p999_ns)});
    most_rate = std::max({most_rate, offered, step.achieved_per_second});
    if (step.p50_ns > 0) least_us = least_us == 0 ? us(step.p50_ns) : std::min(least_us, us(step.p50_ns));
    most_us = std::max(most_us, us(step.p999_ns));
  }
  const Axis offered_axis = Axis::from_zero("offered, tasks/s", most_rate, count_label);
  SvgChart rates("Achieved against offered load", offered_axis,
                 Axis::from_zero("achieved, tasks/s", most_rate, count_label));
  rates.guide({0, 0}, {offered_axis.high, offered_axis.high}, "all answered");
  rates.line(achieved, "achieved");
  SvgChart times("Latency against offered load", offered_axis, Axis::decades("latency", least_us, most_us, time_label));
  const double bound_us = us(result.sweep_p99_max_ns);
  times.guide({0, bound_us}, {offered_axis.high, bound_us}, "bound of p99");
  times.line(p50, "p50");
  times.line(p99, "p99");
  times.line(p999, "p99.9");
  if (result.knee_per_second > 0)
    for (SvgChart* const chart : {&rates, &times})
      chart->mark(result.knee_per_second, fmt::format("knee {}/s", count_label(result.knee_per_second)));
  return rates.take() + times.take();
}

std::string sweep_table(const RunResult& result) {
  std::string rows =
      "<table>\n<tr><th>offered/s</th><th>achieved/s</th><th>p50</th><th>p99</th><th>p99.9</th><th>held</th></tr>\n";
  for (const SweepStep& step : sorted_by_rate(result.sweep))
    fmt::format_to(std::back_inserter(rows),
                   "<tr><td>{:.0f}</td><td>{:.0f}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                   step.offered_per_second, step.achieved_per_second, time_label(us(step.p50_ns)),
                   time_label(us(step.p99_ns)), time_label(us(step.p999_ns)), step.kept ? "yes" : "no");
  return rows + "</table>\n";
}

// Where the time of an answer went, as its DELIVER said.
std::string stations_table(const Tally& tally) {
  std::string rows =
      "<figure>\n<figcaption>Where the time "
      "went</figcaption>\n<table>\n<tr><th>time</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></"
      "tr>\n";
  const auto add = [&](std::string_view name, const Histogram& histogram) {
    fmt::format_to(std::back_inserter(rows), "<tr><td>{}</td>", name);
    for (const double percent : {50.0, 90.0, 99.0, 99.9, 100.0})
      fmt::format_to(std::back_inserter(rows), "<td>{}</td>", time_label(us(histogram.percentile(percent))));
    rows += "</tr>\n";
  };
  add("whole", tally.latency);
  add("waiting for a worker", tally.queued);
  add("in the worker", tally.worker);
  add("in the broker", tally.broker);
  if (tally.rejected.count() > 0) add("until a REJECT", tally.rejected);
  return rows + "</table>\n</figure>\n";
}

std::string tiles(const RunResult& result) {
  const Tally& tally = result.tally;
  std::string html = "<div class=\"tiles\">\n";
  const auto add = [&](std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(html), "<div><span>{}</span><b>{}</b></div>\n", name, value);
  };
  if (!result.sweep.empty()) add("knee", count_label(result.knee_per_second) + "/s");
  add("answered", count_label(tally.measured_rate()) + "/s");
  for (const auto& [name, percent] : {std::pair{"p50", 50.0}, std::pair{"p99", 99.0}, std::pair{"p99.9", 99.9}})
    add(name, time_label(us(tally.latency.percentile(percent))));
  add("max", time_label(us(tally.latency.max())));
  add("sent", fmt::format("{}", tally.sent));
  add("rejected", fmt::format("{}", tally.refused()));
  add("lost", fmt::format("{}", tally.lost()));
  add("wrong or twice", fmt::format("{}", tally.mismatched + tally.duplicates));
  return html + "</div>\n";
}

}  // namespace

std::string html_of(const Options& options, const RunResult& result, std::string_view command_line) {
  const Tally& tally = result.tally;
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>mcplane-load</title>\n"
      "<style>{}</style>\n</head>\n<body>\n<main>\n<h1>mcplane-load</h1>\n<p>{} loop over {}; {} clients, {} "
      "in-process "
      "workers; {:.1f} s measured</p>\n<pre>{}</pre>\n",
      kStyle, options.open_loop() ? "open" : "closed", html_text(options.transport()), options.clients, options.workers,
      seconds(tally.measured_ns), html_text(command_line));
  const std::string because = bottleneck_of(options, result);
  if (!because.empty())
    page += fmt::format("<p class=\"warning\">The load generator was the bottleneck: {}.</p>\n", html_text(because));
  for (const std::string& line : missed_objectives(options, result))
    page += fmt::format("<p class=\"warning\">Missed {}</p>\n", html_text(line));
  page += tiles(result) + "<div class=\"charts\">\n";
  if (!result.sweep.empty()) page += sweep_charts(result);
  if (tally.latency.count() > 0) page += latency_chart(tally.latency);
  if (!tally.intervals.empty()) page += percentiles_chart(options, tally) + throughput_chart(options, result);
  page += stations_table(tally) + "</div>\n<div class=\"tables\">\n";
  if (!result.sweep.empty()) page += sweep_table(result);
  page += "<table>\n";
  for (const auto& [name, value] : figures_of(options, result))
    page += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", html_text(name), html_text(value));
  return page + "</table>\n</div>\n</main>\n</body>\n</html>\n";
}

}  // namespace mcplane::loadgen
