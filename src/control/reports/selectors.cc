// See selectors.h.
#include "control/reports/selectors.h"

#include <algorithm>
#include <cstring>

namespace mcplane::control {
namespace {

void append(state::Selector& selector, std::string_view name) {
  selector.bytes[selector.length++] = static_cast<std::byte>(name.size());
  std::memcpy(selector.bytes.data() + selector.length, name.data(), name.size());
  selector.length = static_cast<std::uint16_t>(selector.length + name.size());
}

}  // namespace

std::optional<Wanted> read_selector(const state::Selector& selector) {
  if (selector.length == 0) return std::nullopt;
  std::size_t at = 1;
  const auto next = [&]() -> std::string {
    if (at >= selector.length) return {};
    const auto size = std::to_integer<std::size_t>(selector.bytes[at]);
    std::string name(reinterpret_cast<const char*>(selector.bytes.data()) + at + 1, size);
    at += 1 + size;
    return name;
  };
  Wanted wanted{.shadow = selector.bytes[0] != std::byte{0}, .action = next(), .model = next(), .tags = {}};
  while (at < selector.length) wanted.tags.push_back(next());
  return wanted;
}

std::optional<state::Selector> selector_of_route(std::string_view name) {
  const std::size_t slash = std::min(name.find('/'), name.size());
  const std::string_view action = name.substr(0, slash);
  const std::string_view model = slash < name.size() ? name.substr(slash + 1) : std::string_view();
  if (!wire::is_name(action) || !wire::is_label(model)) return std::nullopt;
  state::Selector selector;
  selector.bytes[selector.length++] = std::byte{0};
  append(selector, action);
  if (slash < name.size()) append(selector, model);
  return selector;
}

std::vector<std::uint32_t> pools_of(const state::RouteSnapshot& snapshot, const Wanted& wanted) {
  const std::vector<std::string_view> tags(wanted.tags.begin(), wanted.tags.end());
  state::RouteSnapshot::PoolList list;
  const std::size_t count = snapshot.resolve(wanted.action, wanted.model, tags, list, wanted.shadow);
  return {list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count)};
}

const RouteSettings* settings_for(const std::vector<RouteSettings>& routes, const Wanted& wanted) {
  const auto found = std::ranges::find_if(routes, [&](const RouteSettings& route) {
    return (route.action == "*" || route.action == wanted.action) &&
           (route.model.empty() || route.model == wanted.model);
  });
  return found != routes.end() ? &*found : nullptr;
}

}  // namespace mcplane::control
