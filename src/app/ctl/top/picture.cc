// See picture.h. What is too wide is cut, from the right: columns stand in the order of what is missed most.
#include "app/ctl/top/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "app/ctl/admin.h"

namespace mcplane::app {
namespace {

constexpr std::size_t kBarWidth = 20, kCoresShownMax = 8;

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

std::string cut(const std::string& text, std::size_t columns) {
  std::size_t seen = 0, at = 0;
  for (; at < text.size(); ++at)
    if (!continues(text[at]) && seen++ == columns) break;
  return text.substr(0, at);
}

// To that many columns: cut with a mark that it was, or filled up.
std::string left(const std::string& text, std::size_t columns) {
  const std::size_t width = width_of(text);
  if (width > columns) return columns == 0 ? "" : cut(text, columns - 1) + "~";
  return text + std::string(columns - width, ' ');
}
std::string right(const std::string& text, std::size_t columns) {
  const std::size_t width = width_of(text);
  return width >= columns ? cut(text, columns) : std::string(columns - width, ' ') + text;
}

// In eighths of a column where the terminal can show them.
std::string bar(double share, std::size_t columns, bool blocks) {
  static constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto steps = static_cast<std::size_t>(
      std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(columns) * (blocks ? 8 : 1)));
  std::string text;
  const std::size_t whole = blocks ? steps / 8 : steps;
  for (std::size_t i = 0; i < whole; ++i) text += blocks ? "█" : "#";
  if (blocks) text += kEighths[steps % 8];
  return left(text, columns);
}

TopStyle style_of_share(double share) {
  return share >= 0.9 ? TopStyle::kBad : share >= 0.7 ? TopStyle::kWarning : TopStyle::kGood;
}

// Figures that should be 0 stand out when they are not.
TopSpan trouble(const std::string& text, bool any) { return {text, any ? TopStyle::kBad : TopStyle::kPlain}; }

TopLine title_line(const TopModel& model, const TopView& view) {
  const TopTotals& totals = model.totals();
  TopLine line = {{fmt::format("mcplane {}", totals.version), TopStyle::kBold},
                  {fmt::format("  {}  up {}  {} workers, {} clients", totals.address, age_text(totals.uptime_s),
                               totals.workers, totals.clients)}};
  if (!totals.link_up) line.push_back({"  LINK DOWN", TopStyle::kBad});
  if (view.paused) line.push_back({"  PAUSED", TopStyle::kWarning});
  if (!view.problem.empty()) line.push_back({"  " + view.problem, TopStyle::kBad});
  return line;
}

// Whole on 80 columns.
TopLine tasks_line(const TopTotals& totals, const TopView& view) {
  constexpr int kRoomy = 85;
  const char* const gap = view.columns < kRoomy ? " " : "  ";
  return {{"tasks/s  ", TopStyle::kDim},
          {fmt::format("accepted {:>6}{}delivered {:>6}{}", rate_text(totals.accepted_per_s), gap,
                       rate_text(totals.delivered_per_s), gap)},
          trouble(fmt::format("refused {:>5}{}", rate_text(totals.refused_per_s), gap), totals.refused_per_s > 0),
          trouble(fmt::format("lost {:>5}{}", rate_text(totals.failed_per_s), gap), totals.failed_per_s > 0),
          {fmt::format("stood in {:>4}", rate_text(totals.degraded_per_s)),
           totals.degraded_per_s > 0 ? TopStyle::kWarning : TopStyle::kPlain}};
}

TopLine open_line(const TopTotals& totals) {
  const bool short_of_buffers = totals.buffers > 0 && totals.buffers_free * 10 < totals.buffers;
  return {{"open     ", TopStyle::kDim},
          {fmt::format("waiting {:>7}", totals.queued), totals.queued > 0 ? TopStyle::kWarning : TopStyle::kPlain},
          {fmt::format("  at workers {:>6}  delivering {:>6}", totals.at_workers, totals.delivering)},
          trouble(short_of_buffers ? fmt::format("  only {} buffers free", totals.buffers_free) : "", true)};
}

// From acceptance to answer, of tasks that ended between the two looks.
TopLine times_line(const TopTotals& totals) {
  const auto text = [](const std::optional<double>& seconds) {
    return seconds ? time_text(*seconds) : std::string("-");
  };
  return {{"times    ", TopStyle::kDim},
          {fmt::format("p50 {:>7}  p99 {:>7}  ", text(totals.p50_s), text(totals.p99_s))},
          {"frames/s ", TopStyle::kDim},
          {fmt::format("{:>6}  ", rate_text(totals.frames_per_s))},
          trouble(fmt::format("drops/s {:>5}", rate_text(totals.drops_per_s)), totals.drops_per_s > 0)};
}

TopLine core_line(const TopCore& core, const TopView& view) {
  return {{left(fmt::format("core {}", core.shard), 9), TopStyle::kDim},
          {"[" + bar(core.busy, kBarWidth, view.blocks) + "]", style_of_share(core.busy)},
          {fmt::format(" {:>3.0f} % busy  {:>6} tasks/s", 100 * core.busy, rate_text(core.tasks_per_s))},
          {fmt::format("  CPU {}", core.cpu), TopStyle::kDim}};
}

std::size_t cores_shown(const TopModel& model, const TopView& view) {
  const auto room = static_cast<std::size_t>(std::max(1, view.rows / 4));
  return std::min({model.cores().size(), kCoresShownMax, room});
}

// Widths of the table's columns, by how much room there is for names and how long they are.
struct Widths {
  std::size_t name = 8, serves = 0;
  bool node = false;

  Widths(const std::vector<TopWorker>& workers, const TopView& view) {
    constexpr std::size_t kOthers = 2 + 9 + 10 + 10 + 9 + 8 + 10;  // state to errors, with their gaps
    constexpr std::size_t kNode = 10, kNameMax = 32;
    for (const TopWorker& worker : workers) name = std::max(name, width_of(worker.name));
    const auto columns = static_cast<std::size_t>(std::max(view.columns, 1));
    std::size_t rest = columns > kOthers + 8 ? columns - kOthers : 8;
    node = rest >= 16 + kNode;
    if (node) rest -= kNode;
    name = std::min({name, rest, kNameMax});
    serves = rest > name + 2 ? rest - name - 2 : 0;
  }
};

std::string head(const char* name, TopSort by, const TopView& view) {
  return view.sort == by ? std::string(name) + (view.reverse ? "^" : "v") : name;
}

TopLine table_head(const TopView& view, const Widths& widths) {
  std::string text = left(head("WORKER", TopSort::kName, view), widths.name) + (widths.node ? "  NODE    " : "");
  text += "  " + left(head("STATE", TopSort::kState, view), 9) + left(head("BREAKER", TopSort::kBreaker, view), 10);
  text += right("BUSY", 9) + " " + left(head("LOAD", TopSort::kLoad, view), 9);
  text += right(head("TASKS/s", TopSort::kTasks, view), 8) + right(head("ERRORS/s", TopSort::kErrors, view), 10);
  if (widths.serves > 0) text += "  SERVES";
  return {{left(text, static_cast<std::size_t>(view.columns)), TopStyle::kHead}};
}

TopStyle style_of_breaker(const TopWorker& worker) {
  return worker.breaker == "open"        ? TopStyle::kBad
         : worker.breaker == "half-open" ? TopStyle::kWarning
                                         : TopStyle::kPlain;
}

TopLine worker_line(const TopWorker& worker, const TopView& view, const Widths& widths) {
  const TopStyle name_style = worker.gone ? TopStyle::kDim : worker.ails() ? TopStyle::kBold : TopStyle::kPlain;
  const std::string state = worker.gone ? fmt::format("gone {:.0f}s", worker.seen_s) : worker.state;
  const std::string busy = worker.gone ? "-" : fmt::format("{}/{}", worker.busy, worker.slots);
  const auto figure = [&](double rate) { return worker.gone ? std::string("-") : rate_text(rate); };
  const TopStyle state_style = worker.gone            ? TopStyle::kBad
                               : worker.state != "up" ? TopStyle::kWarning
                                                      : TopStyle::kPlain;
  TopLine line = {{left(worker.name, widths.name), name_style}};
  if (widths.node) line.push_back({"  " + worker.node, TopStyle::kDim});
  line.push_back({"  " + left(state, 9), state_style});
  line.push_back({left(worker.breaker, 10), style_of_breaker(worker)});
  line.push_back({right(busy, 9) + " "});
  line.push_back({bar(worker.load(), 8, view.blocks) + " ", style_of_share(worker.load())});
  line.push_back({right(figure(worker.tasks_per_s), 8)});
  line.push_back(trouble(right(figure(worker.errors_per_s), 10), worker.errors_per_s > 0));
  if (widths.serves > 0) line.push_back({"  " + left(worker.serves, widths.serves), TopStyle::kDim});
  return line;
}

TopLine foot_line(const TopModel& model, const TopView& view) {
  const std::size_t all = model.workers().size(), shown = worker_rows(model, view);
  std::string text;
  if (all > shown) text = fmt::format("{}-{} of {}  ", view.scroll + 1, std::min(all, view.scroll + shown), all);
  const std::string_view keys =
      "q quit  space pause  sort: n name  s state  b breaker  l load  t tasks  e errors  r reverse";
  const bool fits = width_of(text) + keys.size() <= static_cast<std::size_t>(std::max(view.columns, 0));
  text += fits ? keys : "q quit  space pause  sort: n s b l t e  r reverse";
  return {{text, TopStyle::kDim}};
}

void fit(TopLine& line, std::size_t columns) {
  for (TopSpan& span : line) {
    span.text = cut(span.text, columns);
    columns -= width_of(span.text);
  }
}

}  // namespace

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char byte) { return !continues(byte); }));
}

std::size_t worker_rows(const TopModel& model, const TopView& view) {
  // Title, three lines of totals, cores, a gap and the table's head; the keys below.
  const std::size_t others = 7 + cores_shown(model, view);
  const auto rows = static_cast<std::size_t>(std::max(view.rows, 1));
  return rows > others ? rows - others : 1;
}

std::vector<TopLine> picture(const TopModel& model, const TopView& view) {
  std::vector<TopLine> lines = {title_line(model, view), tasks_line(model.totals(), view), open_line(model.totals()),
                                times_line(model.totals())};
  for (std::size_t i = 0; i < cores_shown(model, view); ++i) lines.push_back(core_line(model.cores()[i], view));
  lines.emplace_back();
  const Widths widths(model.workers(), view);
  lines.push_back(table_head(view, widths));
  std::vector<TopWorker> workers = model.workers();
  sort_workers(workers, view.sort, view.reverse);
  const std::size_t room = worker_rows(model, view);
  for (std::size_t i = view.scroll; i < workers.size() && i < view.scroll + room; ++i)
    lines.push_back(worker_line(workers[i], view, widths));
  if (workers.empty()) lines.push_back({{"no worker is registered", TopStyle::kDim}});
  const auto rows = static_cast<std::size_t>(std::max(view.rows, 1));
  lines.resize(rows - 1);
  lines.push_back(foot_line(model, view));
  for (TopLine& line : lines) fit(line, static_cast<std::size_t>(std::max(view.columns, 0)));
  return lines;
}

}  // namespace mcplane::app
