// Selectors as cores keep them (state::Selector), taken apart for people and put together for questions. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "control/config/settings.h"
#include "state/inspection.h"
#include "state/route_snapshot.h"

namespace mcplane::control {

// What a task asks for.
struct Wanted {
  bool shadow = false;
  std::string action, model;  // model "": any
  std::vector<std::string> tags;

  friend bool operator<(const Wanted& a, const Wanted& b) {
    return std::tie(a.shadow, a.action, a.model, a.tags) < std::tie(b.shadow, b.action, b.model, b.tags);
  }
};

// nullopt: it is not known any more. One that only begins asks for no more than it says.
std::optional<Wanted> read_selector(const state::Selector& selector);
// Begins the selectors of all tasks of "ACTION", or "ACTION/MODEL". nullopt: no route has such a name.
std::optional<state::Selector> selector_of_route(std::string_view name);
// The pools that its tasks go to, by number in the snapshot.
std::vector<std::uint32_t> pools_of(const state::RouteSnapshot& snapshot, const Wanted& wanted);
// What is said of its tasks; null: nothing.
const RouteSettings* settings_for(const std::vector<RouteSettings>& routes, const Wanted& wanted);

}  // namespace mcplane::control
