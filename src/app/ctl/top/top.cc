// ncurses paints what picture.h draws, and says which key was pressed and that the terminal has another size.
#include "app/ctl/top/top.h"

#include <curses.h>
#include <langinfo.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

// The terminal as it was, however this ends.
class Terminal {
 public:
  Terminal() {
    initscr();
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    set_escdelay(25);
    const char* const no_color = std::getenv("NO_COLOR");
    colours_ = has_colors() && (no_color == nullptr || *no_color == '\0');
    if (!colours_) return;
    start_color();
    use_default_colors();
    for (const auto& [style, colour] :
         {std::pair{TopStyle::kGood, COLOR_GREEN}, std::pair{TopStyle::kWarning, COLOR_YELLOW},
          std::pair{TopStyle::kBad, COLOR_RED}})
      init_pair(static_cast<short>(style), static_cast<short>(colour), -1);
  }
  ~Terminal() { endwin(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void paint(const std::vector<TopLine>& lines) const {
    erase();
    for (std::size_t row = 0; row < lines.size(); ++row) {
      move(static_cast<int>(row), 0);
      for (const TopSpan& span : lines[row]) {
        attrset(attributes_of(span.style));
        addstr(span.text.c_str());
      }
    }
    refresh();
  }

 private:
  attr_t attributes_of(TopStyle style) const {
    const auto coloured = [&](attr_t otherwise) {
      return colours_ ? static_cast<attr_t>(COLOR_PAIR(static_cast<int>(style))) : otherwise;
    };
    switch (style) {
      case TopStyle::kPlain:
        return A_NORMAL;
      case TopStyle::kDim:
        return A_DIM;
      case TopStyle::kBold:
        return A_BOLD;
      case TopStyle::kHead:
        return A_REVERSE;
      case TopStyle::kGood:
        return coloured(A_NORMAL);
      case TopStyle::kWarning:
        return coloured(A_BOLD);
      case TopStyle::kBad:
        return coloured(A_BOLD) | A_BOLD;
    }
    return A_NORMAL;
  }

  bool colours_ = false;
};

// A look at the appliance; what is wrong goes to view.problem.
void look(const TopFlags& flags, TopModel& model, TopView& view) {
  const AdminFlags admin{flags.path};
  const auto info = try_ask(admin, {Method::kGet, "/v1/info"});
  const auto nodes = try_ask(admin, {Method::kGet, "/v1/nodes"});
  view.problem = "";
  if (!info || !nodes || info->status != 200 || nodes->status != 200) {
    view.problem = "NO ANSWER";
    return;
  }
  const double now_s = std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
  try {
    const auto metrics = try_ask(admin, {Method::kGet, "/metrics"});
    const bool has_metrics = metrics && metrics->status == 200;
    model.add({now_s, Json::parse(info->body), Json::parse(nodes->body), has_metrics ? metrics->body : ""});
  } catch (const Json::exception&) {
    view.problem = "ANSWER NOT UNDERSTOOD";
  }
}

void fit_view(const TopModel& model, TopView& view) {
  getmaxyx(stdscr, view.rows, view.columns);
  const std::size_t all = model.workers().size(), page = worker_rows(model, view);
  view.scroll = std::min(view.scroll, all > page ? all - page : 0);
}

// Until it is time for the next look; false: the user has had enough.
bool take_keys(const Terminal& terminal, const TopModel& model, TopView& view, Clock::time_point until) {
  for (;;) {
    fit_view(model, view);
    terminal.paint(picture(model, view));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    timeout(static_cast<int>(std::max<std::int64_t>(left, 0)));
    const int key = getch();
    if (key == ERR) return true;
    if (key != KEY_RESIZE && !on_key(key, view, worker_rows(model, view))) return false;
  }
}

}  // namespace

void add_top_flags(CLI::App& command, TopFlags& flags) {
  add_text(command, "--admin", flags.path, "PATH", "UNIX socket of the appliance");
  add_duration(command, "--interval", flags.interval_ns, "Between two looks at it",
               {100 * kNsPerMs, 3'600 * kNsPerSecond});
}

bool on_key(int key, TopView& view, std::size_t page) {
  const auto sort = [&view](TopSort by) {
    view.reverse = view.sort == by && !view.reverse;
    view.sort = by;
    view.scroll = 0;
    return true;
  };
  const auto up = [&view](std::size_t lines) { view.scroll -= std::min(view.scroll, lines); };
  switch (key) {
    case 'q':
    case 'Q':
    case 3:  // control-C
      return false;
    case 'n':
      return sort(TopSort::kName);
    case 's':
      return sort(TopSort::kState);
    case 'b':
      return sort(TopSort::kBreaker);
    case 'l':
      return sort(TopSort::kLoad);
    case 't':
      return sort(TopSort::kTasks);
    case 'e':
      return sort(TopSort::kErrors);
    case 'r':
      view.reverse = !view.reverse;
      break;
    case ' ':
      view.paused = !view.paused;
      break;
    case KEY_UP:
    case 'k':
      up(1);
      break;
    case KEY_DOWN:
    case 'j':
      ++view.scroll;
      break;
    case KEY_PPAGE:
      up(page);
      break;
    case KEY_NPAGE:
      view.scroll += page;
      break;
    case KEY_HOME:
      view.scroll = 0;
      break;
    case KEY_END:
      view.scroll = ~std::size_t{0} / 2;
      break;
    default:
      break;
  }
  return true;
}

int run_top(const TopFlags& flags) {
  if (isatty(STDOUT_FILENO) == 0 || isatty(STDIN_FILENO) == 0)
    return end(failure("mcplane-ctl", "top needs a terminal; type mcplane-ctl status instead", kExitUsage));
  const AdminFlags admin{flags.path};
  if (!try_ask(admin, {Method::kGet, "/v1/info"})) return say_unreachable(admin);
  std::setlocale(LC_ALL, "");
  TopModel model;
  TopView view;
  view.blocks = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
  const Terminal terminal;
  for (bool first = true;; first = false) {
    if (!view.paused) look(flags, model, view);
    // Rates need two looks: the second comes soon.
    const auto wait = first ? std::chrono::nanoseconds(std::min<std::uint64_t>(flags.interval_ns, 200 * kNsPerMs))
                            : std::chrono::nanoseconds(flags.interval_ns);
    if (!take_keys(terminal, model, view, Clock::now() + wait)) return kExitOk;
  }
}

}  // namespace mcplane::app
