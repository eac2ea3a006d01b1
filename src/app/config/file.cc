// toml++ parses; which keys there are, and what is wrong with them, is told by the tables of keys.h and flags.h. A text
// that is no TOML has one mistake, the first; any other has all it has.
#include "app/config/file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "app/command_line/mistake.h"
#include "app/command_line/units.h"
#include "app/config/keys.h"
#include "app/config/rules.h"

namespace mcplane::app {
namespace {

using control::RouteSettings;
using control::Settings;

constexpr std::size_t kRoutesMax = 256;
constexpr std::string_view kAppliance = "appliance", kPort = "port", kRoute = "route";

// A key of [[port]] and the flag it stands for.
struct PortKey {
  const char* name;
  const char* flag;
  const char* meaning;
};
constexpr std::array<PortKey, 3> kPortKeys = {{{"device", "port", "Port to serve, KIND:NAME"},
                                               {"ip", "ip", "Its addresses, ADDRESS/PREFIX"},
                                               {"mac", "mac", "Its Ethernet address"}}};

Place place_of(const toml::source_region& source) { return {source.begin.line, source.begin.column}; }

// "breaker.window" -> "breaker", "window".
std::string section_of(std::string_view path) { return std::string(path.substr(0, path.find('.'))); }
std::string leaf_of(std::string_view path) { return std::string(path.substr(path.find('.') + 1)); }

// A single value as it would be typed; empty: a list, a table or a date.
std::optional<std::string> typed_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return std::to_string(whole->get());
  if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
  if (const auto* on = node.as_boolean()) return on->get() ? "true" : "false";
  return std::nullopt;
}

// A list of texts as it would be typed; empty: any other list.
std::optional<std::string> typed_list(const toml::array& list) {
  std::string typed;
  for (const toml::node& node : list) {
    const auto* text = node.as_string();
    if (text == nullptr) return std::nullopt;
    typed += (typed.empty() ? "" : ", ") + text->get();
  }
  return typed;
}

std::vector<std::string> sections() {
  std::vector<std::string> names = {std::string(kAppliance), std::string(kPort), std::string(kRoute)};
  for (const auto& key : settings_keys())
    if (std::ranges::find(names, section_of(key.path)) == names.end()) names.push_back(section_of(key.path));
  return names;
}

class Reader {
 public:
  Reader(const std::string& name, const std::vector<RestartKey>& flags) : name_(name), flags_(flags) {}

  ConfigFile read(const std::string& text);

 private:
  void add(Place place, std::string key, std::string what, std::string meaning = "") {
    mistakes_.push_back({place, std::move(key), std::move(what), std::move(meaning)});
  }
  std::string line_of(const ConfigMistake& mistake) const;
  std::string origin_at(Place place) const { return fmt::format("{}:{}", name_, place.line); }

  void read_root(const toml::table& root);
  void refuse_unknown_table(const toml::key& key, const toml::node& node);
  void refuse_unknown_key(const std::string& section, const toml::key& key, const std::vector<std::string>& leaves);
  // The table or the tables of that name; others are mistakes.
  const toml::table* table_at(const toml::table& root, const std::string& section);
  std::vector<const toml::table*> tables_at(const toml::table& root, const std::string& section);

  void read_appliance(const toml::table& table);
  void read_port(const toml::table& table);
  // A flag; where flags may be repeated, a list of values is one.
  void read_flag(const toml::node& node, const std::string& path, const RestartKey& flag);

  void read_settings(const toml::table& root);
  void read_route(const toml::table& table, std::size_t at);
  // `shown`: the key for people; `path`: for places_.
  template <class Owner>
  void accept(const toml::node& node, const HotKey<Owner>& key, const std::string& shown, const std::string& path,
              Owner& owner);

  const std::string& name_;
  const std::vector<RestartKey>& flags_;
  std::vector<ConfigMistake> mistakes_;
  Places places_;
  ConfigFile file_;
};

std::string Reader::line_of(const ConfigMistake& mistake) const {
  std::string line = fmt::format("{}:{}:{}: ", name_, mistake.place.line, mistake.place.column);
  if (!mistake.key.empty()) line += mistake.key + ": ";
  line += mistake.what;
  if (!mistake.meaning.empty()) line += " (" + mistake.meaning + ")";
  return one_line(line);
}

ConfigFile Reader::read(const std::string& text) {
  try {
    read_root(toml::parse(text));
    const auto contradictory = contradictions(file_.settings, places_);
    mistakes_.insert(mistakes_.end(), contradictory.begin(), contradictory.end());
  } catch (const toml::parse_error& error) {
    add(place_of(error.source()), "",
        fmt::format("no TOML: {}; type [TABLE] and KEY = VALUE lines, texts in quotes", error.description()));
  }
  std::ranges::stable_sort(
      mistakes_, {}, [](const ConfigMistake& mistake) { return std::pair(mistake.place.line, mistake.place.column); });
  for (const ConfigMistake& mistake : mistakes_) file_.mistakes.push_back(line_of(mistake));
  return std::move(file_);
}

void Reader::read_root(const toml::table& root) {
  const std::vector<std::string> known = sections();
  for (const auto& [key, node] : root)
    if (std::ranges::find(known, key.str()) == known.end()) refuse_unknown_table(key, node);
  const auto ports = tables_at(root, std::string(kPort));
  file_.has_port_tables = !ports.empty();
  for (const toml::table* const port : ports) read_port(*port);
  if (const toml::table* const table = table_at(root, std::string(kAppliance))) read_appliance(*table);
  read_settings(root);
  const auto routes = tables_at(root, std::string(kRoute));
  if (routes.size() > kRoutesMax)
    add(place_of(routes[kRoutesMax]->source()), std::string(kRoute), fmt::format("{} are the most", kRoutesMax));
  for (std::size_t i = 0; i < std::min(routes.size(), kRoutesMax); ++i) read_route(*routes[i], i);
  std::string order;
  for (const RouteSettings& route : file_.settings.routes) order += (order.empty() ? "" : ", ") + name_of(route);
  file_.values.push_back({"route", order, order.empty() ? "default" : origin_at(places_.set["route[0]"])});
}

void Reader::refuse_unknown_table(const toml::key& key, const toml::node& node) {
  const std::string typed(key.str());
  std::string meant;
  if (node.is_table() || node.is_array_of_tables()) {
    meant = nearest(typed, sections());
    if (!meant.empty()) meant = "did you mean [" + meant + "]?";
  } else {
    // A key before the first table.
    for (const auto& known : settings_keys())
      if (leaf_of(known.path) == typed) meant = section_of(known.path);
    for (const RestartKey& known : flags_)
      if (known.name == typed) meant = kAppliance;
    if (!meant.empty()) meant = "put it under [" + meant + "]";
  }
  add(place_of(key.source()), one_line(typed),
      "is unknown; " + (meant.empty() ? fmt::format("the tables are {}", fmt::join(sections(), ", ")) : meant));
}

void Reader::refuse_unknown_key(const std::string& section, const toml::key& key,
                                const std::vector<std::string>& leaves) {
  const std::string typed(key.str());
  std::string meant = nearest(typed, leaves);
  if (!meant.empty()) meant = section + "." + meant;
  // The right key in the wrong table.
  for (const auto& known : settings_keys())
    if (leaf_of(known.path) == typed) meant = known.path;
  for (const RestartKey& known : flags_)
    if (known.name == typed) meant = fmt::format("{}.{}", kAppliance, typed);
  add(place_of(key.source()), fmt::format("{}.{}", section, one_line(typed)),
      "is unknown; " + (meant.empty() ? fmt::format("[{}] has {}", section, fmt::join(leaves, ", "))
                                      : fmt::format("did you mean {}?", meant)));
}

const toml::table* Reader::table_at(const toml::table& root, const std::string& section) {
  const toml::node* const node = root.get(section);
  if (node == nullptr || node->is_table()) return node == nullptr ? nullptr : node->as_table();
  add(place_of(node->source()), section, fmt::format("is no table; type a line [{}] and its keys below", section));
  return nullptr;
}

std::vector<const toml::table*> Reader::tables_at(const toml::table& root, const std::string& section) {
  std::vector<const toml::table*> tables;
  const toml::node* const node = root.get(section);
  if (node == nullptr) return tables;
  if (const toml::array* const array = node->as_array(); array != nullptr && node->is_array_of_tables()) {
    for (const toml::node& table : *array) tables.push_back(table.as_table());
    return tables;
  }
  add(place_of(node->source()), section,
      fmt::format("there may be several; type a line [[{}]] and its keys below, for each", section));
  return tables;
}

void Reader::read_flag(const toml::node& node, const std::string& path, const RestartKey& flag) {
  const Place place = place_of(node.source());
  const toml::array* const list = node.as_array();
  if (list != nullptr && !flag.repeats) return add(place, path, "is a list; type one value", flag.meaning);
  std::vector<std::string> texts;
  const auto take = [&](const toml::node& value) {
    const auto typed = typed_text(value);
    if (!typed) return add(place_of(value.source()), path, "is no single value; type one", flag.meaning);
    if (std::string error = flag_error(flag.name, *typed); !error.empty()) {
      const bool quantity = flag.takes == "DURATION" || flag.takes == "SIZE";
      if (quantity && !value.is_string()) error += ", in quotes";
      return add(place_of(value.source()), path, std::move(error), flag.meaning);
    }
    texts.push_back(*typed);
  };
  if (list == nullptr) take(node);
  if (list != nullptr)
    for (const toml::node& value : *list) take(value);
  if (list != nullptr && list->empty()) add(place, path, "is an empty list; type a value", flag.meaning);
  for (const std::string& text : texts)
    file_.flags.push_back(
        {flag.name, text, origin_at(place), fmt::format("{}:{}:{}", name_, place.line, place.column)});
}

void Reader::read_port(const toml::table& table) {
  std::vector<std::string> leaves;
  for (const PortKey& key : kPortKeys) leaves.emplace_back(key.name);
  for (const auto& [key, node] : table)
    if (std::ranges::find(leaves, key.str()) == leaves.end()) refuse_unknown_key(std::string(kPort), key, leaves);
  if (table.get(kPortKeys[0].name) == nullptr)
    add(place_of(table.source()), "port.device", "is missing; type device = \"KIND:NAME\"", kPortKeys[0].meaning);
  for (const PortKey& key : kPortKeys)
    if (const toml::node* const node = table.get(key.name))
      read_flag(*node, fmt::format("{}.{}", kPort, key.name),
                {key.flag, "", "", key.meaning, std::string_view(key.flag) == "ip"});
}

void Reader::read_appliance(const toml::table& table) {
  std::vector<std::string> leaves;
  for (const RestartKey& flag : flags_) leaves.push_back(flag.name);
  for (const auto& [key, node] : table)
    if (std::ranges::find(leaves, key.str()) == leaves.end()) refuse_unknown_key(std::string(kAppliance), key, leaves);
  for (const RestartKey& flag : flags_) {
    const toml::node* const node = table.get(flag.name);
    if (node == nullptr) continue;
    const bool of_port = std::ranges::find(kPortKeys, flag.name, &PortKey::flag) != kPortKeys.end();
    const std::string path = fmt::format("{}.{}", kAppliance, flag.name);
    if (of_port && file_.has_port_tables)
      add(place_of(node->source()), path, "does not go with [[port]]; type it there", flag.meaning);
    else
      read_flag(*node, path, flag);
  }
}

template <class Owner>
void Reader::accept(const toml::node& node, const HotKey<Owner>& key, const std::string& shown, const std::string& path,
                    Owner& owner) {
  const Place place = place_of(node.source());
  places_.set[path] = place;
  const toml::array* const list = key.form == KeyForm::kList ? node.as_array() : nullptr;
  const auto typed = list != nullptr ? typed_list(*list) : typed_text(node);
  std::string error;
  if (!typed)
    error = (key.form == KeyForm::kList ? "is no list of texts; type " : "is no single value; type ") + key.takes;
  else if (key.form == KeyForm::kText && !node.is_string())
    error = quote(*typed) + " is no text; put it in quotes";
  else
    error = key.accept(owner, *typed);
  if (error.empty()) return;
  if (typed && key.form == KeyForm::kQuantity && !node.is_string()) error += ", in quotes";
  places_.wrong.insert(path);
  add(place, shown, std::move(error), key.meaning);
}

void Reader::read_settings(const toml::table& root) {
  const auto keys = settings_keys();
  for (const std::string& section : sections()) {
    if (section == kAppliance || section == kPort || section == kRoute) continue;
    const toml::table* const table = table_at(root, section);
    if (table == nullptr) continue;
    std::vector<std::string> leaves;
    for (const auto& key : keys)
      if (section_of(key.path) == section) leaves.push_back(leaf_of(key.path));
    for (const auto& [key, node] : *table)
      if (std::ranges::find(leaves, key.str()) == leaves.end()) refuse_unknown_key(section, key, leaves);
  }
  for (const auto& key : keys) {
    const toml::node* const table = root.get(section_of(key.path));
    const toml::node* const node =
        table != nullptr && table->is_table() ? table->as_table()->get(leaf_of(key.path)) : nullptr;
    if (node != nullptr) accept(*node, key, key.path, key.path, file_.settings);
    file_.values.push_back(
        {key.path, key.show(file_.settings), node != nullptr ? origin_at(place_of(node->source())) : "default"});
  }
}

void Reader::read_route(const toml::table& table, std::size_t at) {
  const auto keys = route_keys();
  std::vector<std::string> leaves;
  for (const auto& key : keys) leaves.push_back(key.path);
  for (const auto& [key, node] : table)
    if (std::ranges::find(leaves, key.str()) == leaves.end()) refuse_unknown_key(std::string(kRoute), key, leaves);
  RouteSettings& route = file_.settings.routes.emplace_back();
  const std::string place = fmt::format("{}[{}]", kRoute, at);
  places_.set[place] = place_of(table.source());
  for (const auto& key : keys)
    if (const toml::node* const node = table.get(key.path))
      accept(*node, key, fmt::format("{}.{}", kRoute, key.path), fmt::format("{}.{}", place, key.path), route);
  for (const auto& key : keys) {
    const auto set = places_.set.find(fmt::format("{}.{}", place, key.path));
    file_.values.push_back({fmt::format("{}[{}].{}", kRoute, name_of(route), key.path), key.show(route),
                            set == places_.set.end() ? "default" : origin_at(set->second)});
  }
}

}  // namespace

ConfigFile read_config_file(const std::string& text, const std::string& name, const std::vector<RestartKey>& flags) {
  return Reader(name, flags).read(text);
}

}  // namespace mcplane::app
