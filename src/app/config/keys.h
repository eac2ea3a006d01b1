// The hot keys of the configuration file, one table: what each is called, takes and means, and where it is kept.
// Reading, help, display and comparison all walk it. The restart keys are the flags (flags.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/settings.h"

namespace mcplane::app {

// What TOML writes it as: a quantity is a number with its unit, in quotes; a list of texts, or one of them, is typed
// with commas between them.
enum class KeyForm : std::uint8_t { kNumber, kQuantity, kText, kList };

template <class Owner>
struct HotKey {
  std::string path;     // "breaker.window"; of a route: "policy"
  std::string takes;    // "COUNT, 10 to 100"
  std::string meaning;  // one line
  KeyForm form = KeyForm::kNumber;
  // Stores what was typed; an error line when it is none, else empty.
  std::function<std::string(Owner&, const std::string& typed)> accept;
  // As accept() would take it.
  std::function<std::string(const Owner&)> show;
};

// Of the tables that there is one of.
std::vector<HotKey<control::Settings>> settings_keys();
// Of each [[route]].
std::vector<HotKey<control::RouteSettings>> route_keys();

}  // namespace mcplane::app
