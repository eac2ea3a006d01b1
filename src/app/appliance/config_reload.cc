// See config_reload.h.
#include "app/appliance/config_reload.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include "app/config/source.h"

namespace mcplane::app {
namespace {

std::uint64_t unix_s() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

}  // namespace

control::ConfigHooks config_hooks(const ApplianceConfig& config) {
  return {
      .read = [arguments = config.arguments](const std::string& text,
                                             const std::string& origin) { return read_again(arguments, text, origin); },
      .unix_s = unix_s};
}

void reload(control::Control& control, const ApplianceConfig& config) {
  control::ConfigReading reading;
  if (const auto text = read_text(config.config_path); text)
    reading = read_again(config.arguments, *text.value, config.config_path);
  else
    reading.mistakes = {text.error};
  for (const std::string& line : reading.mistakes) std::fprintf(stderr, "%s\n", one_line(line).c_str());
  if (!reading.mistakes.empty()) {
    std::fprintf(stderr, "mcplane: SIGHUP: nothing is changed\n");
    return;
  }
  const control::ConfigAuthor author{.by = "SIGHUP", .how = "reload", .unix_s = unix_s()};
  if (!control.post([&control, document = std::move(reading.document), author] {
        control.config().apply(document, author, control.now_ns());
      }))
    std::fprintf(stderr, "mcplane: SIGHUP: the control thread is busy; send it again\n");
}

}  // namespace mcplane::app
