// Resolution walks every pool; pools are few (one a distinct capability set) and the answer is cached by selector.
#include "state/route_snapshot.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/planted_bug.h"

namespace mcplane::state {
namespace {

constexpr std::size_t kSelectorTagsMax = 8;

bool contains(const std::vector<NameId>& sorted, NameId name) noexcept {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

}  // namespace

NameId RouteSnapshot::intern(std::string_view name) {
  const auto next = static_cast<NameId>(names_.size());
  return names_.try_emplace(std::string(name), next).first->second;
}

std::uint32_t RouteSnapshot::add_pool(Pool pool) {
  pools_.push_back(std::move(pool));
  return static_cast<std::uint32_t>(pools_.size() - 1);
}

void RouteSnapshot::add_rule(std::string_view action, std::string_view model, const RouteRule& rule) {
  rules_.push_back({std::string(action), std::string(model), rule});
}

std::uint16_t RouteSnapshot::add_degradation(Degradation degradation) {
  degradations_.push_back(std::move(degradation));
  return static_cast<std::uint16_t>(degradations_.size() - 1);
}

RouteRule RouteSnapshot::rule_of(std::string_view action, std::string_view model) const noexcept {
  const auto found = std::ranges::find_if(rules_, [&](const NamedRule& named) {
    return (named.action == "*" || named.action == action) && (named.model.empty() || named.model == model);
  });
  return found != rules_.end() ? found->rule : RouteRule{};
}

std::optional<NameId> RouteSnapshot::find(std::string_view name) const noexcept {
  const auto found = names_.find(name);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

SkillId RouteSnapshot::skill_of(std::uint32_t pool, std::string_view action) const noexcept {
  const std::vector<NameId>& actions = pools_[pool].actions;
  const auto found = std::ranges::find(actions, find(action).value_or(0));
  return static_cast<SkillId>(found == actions.end() ? 0 : found - actions.begin());
}

std::uint8_t RouteSnapshot::action_of(std::string_view action) const noexcept {
  const auto found = std::ranges::find(actions_, action);
  return found == actions_.end() ? kOtherActions : static_cast<std::uint8_t>(found - actions_.begin() + 1);
}

std::size_t RouteSnapshot::resolve(std::string_view action, std::string_view model,
                                   std::span<const std::string_view> tags, PoolList& pools,
                                   bool shadow) const noexcept {
  const auto action_name = find(action);
  if (!action_name || tags.size() > kSelectorTagsMax) return 0;
  std::optional<NameId> model_name;
  if (!model.empty() && !(model_name = find(model))) return 0;
  std::array<NameId, kSelectorTagsMax> tag_names{};
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto tag_name = find(tags[i]);
    if (!tag_name) return 0;
    tag_names[i] = *tag_name;
  }
  std::size_t count = 0;
  for (std::uint32_t index = 0; index < pools_.size() && count < kPoolsPerRoute; ++index) {
    const Pool& candidate = pools_[index];
    const bool same_kind = candidate.shadow == shadow || (shadow && planted(PlantedBug::kShadowAnywhere));
    const bool serves = same_kind && std::ranges::find(candidate.actions, *action_name) != candidate.actions.end() &&
                        (!model_name || contains(candidate.models, *model_name)) &&
                        std::all_of(tag_names.begin(), tag_names.begin() + tags.size(),
                                    [&](NameId name) { return contains(candidate.tags, name); });
    if (serves) pools[count++] = index;
  }
  return count;
}

}  // namespace mcplane::state
