// Everything here is rare and small: texts of a few KiB, some dozen keys.
#include "control/config/history.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace mcplane::control {
namespace {

const ConfigValue* find(const std::vector<ConfigValue>& values, std::string_view key) {
  const auto found = std::ranges::find(values, key, &ConfigValue::key);
  return found == values.end() ? nullptr : &*found;
}

bool set_by_nobody(const ConfigValue& value) { return value.origin == "default"; }

}  // namespace

std::vector<ConfigChange> changes_between(const std::vector<ConfigValue>& before,
                                          const std::vector<ConfigValue>& after) {
  std::vector<ConfigChange> changes;
  for (const ConfigValue& value : after) {
    const ConfigValue* const old = find(before, value.key);
    if (old == nullptr ? set_by_nobody(value) : old->value == value.value) continue;
    changes.push_back({value.key, old == nullptr ? "" : old->value, value.value, value.hot});
  }
  for (const ConfigValue& value : before)
    if (!set_by_nobody(value) && find(after, value.key) == nullptr)
      changes.push_back({value.key, value.value, "", value.hot});
  return changes;
}

ConfigHistory::ConfigHistory(ConfigDocument start) : start_values_(start.values) { push(std::move(start), {}); }

void ConfigHistory::push(ConfigDocument document, ConfigAuthor author) {
  const std::uint64_t number = generations_.empty() ? 1 : running().number + 1;
  generations_.push_back(
      std::make_shared<const ConfigGeneration>(ConfigGeneration{number, std::move(document), std::move(author)}));
  if (generations_.size() > kKept) generations_.pop_front();
}

void ConfigHistory::apply(ConfigDocument document, ConfigAuthor author, std::uint64_t now_ns,
                          std::uint64_t confirm_within_ns) {
  // A second trial goes back to where the first would have.
  const auto fallback = trial_ ? trial_->fallback : generations_.back();
  push(std::move(document), std::move(author));
  trial_.reset();
  if (confirm_within_ns > 0) trial_ = Trial{fallback, now_ns, now_ns + confirm_within_ns};
}

bool ConfigHistory::confirm() noexcept { return std::exchange(trial_, std::nullopt).has_value(); }

bool ConfigHistory::roll_back(std::optional<std::uint64_t> number, ConfigAuthor author, std::uint64_t now_ns) {
  std::shared_ptr<const ConfigGeneration> target;
  if (number) {
    const auto found = std::ranges::find(generations_, *number, [](const auto& kept) { return kept->number; });
    if (found != generations_.end()) target = *found;
  } else if (trial_) {
    target = trial_->fallback;
  } else if (generations_.size() > 1) {
    target = generations_[generations_.size() - 2];
  }
  if (target == nullptr) return false;
  author.how = fmt::format("rollback to {}", target->number);
  trial_.reset();
  apply(target->document, std::move(author), now_ns);
  return true;
}

bool ConfigHistory::tick(std::uint64_t now_ns) {
  if (!trial_ || now_ns < trial_->end_ns) return false;
  const Trial trial = *std::exchange(trial_, std::nullopt);
  ConfigAuthor author = running().author;
  author.how = fmt::format("not confirmed, back to {}", trial.fallback->number);
  author.unix_s += (now_ns - trial.start_ns) / kNsPerSecond;
  push(trial.fallback->document, std::move(author));
  return true;
}

std::optional<std::uint64_t> ConfigHistory::trial_left_ns(std::uint64_t now_ns) const noexcept {
  if (!trial_) return std::nullopt;
  return trial_->end_ns - std::min(now_ns, trial_->end_ns);
}

std::vector<ConfigValue> ConfigHistory::values() const {
  std::vector<ConfigValue> values;
  for (const ConfigValue& value : start_values_)
    if (!value.hot) values.push_back(value);
  for (const ConfigValue& value : running().document.values)
    if (value.hot) values.push_back(value);
  return values;
}

std::vector<ConfigChange> ConfigHistory::pending() const {
  auto changes = changes_to(running().document);
  std::erase_if(changes, &ConfigChange::hot);
  return changes;
}

std::vector<ConfigChange> ConfigHistory::changes_to(const ConfigDocument& document) const {
  return changes_between(values(), document.values);
}

}  // namespace mcplane::control
