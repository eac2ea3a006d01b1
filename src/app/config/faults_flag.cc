// See faults_flag.h.
#include "app/config/faults_flag.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

namespace mcplane::app {
namespace {

using ParsedFaults = Parsed<net::Faults>;

constexpr std::string_view kExample = "loss=0.3,duplicate=0.1,reorder=0.1,corrupt=0.01,seed=7";
constexpr std::uint64_t kWithheldMax = 16'777'215;

struct Share {
  std::string_view name;
  double net::Faults::*value;
};
constexpr std::array<Share, 4> kFaultShares = {{{"loss", &net::Faults::loss},
                                                {"duplicate", &net::Faults::duplicate},
                                                {"reorder", &net::Faults::reorder},
                                                {"corrupt", &net::Faults::corrupt}}};

std::string take_share(std::string_view name, std::string_view text, double& share) {
  const bool digits =
      std::ranges::all_of(text, [](char letter) { return letter == '.' || (letter >= '0' && letter <= '9'); });
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (!digits || error != std::errc{} || end != text.data() + text.size() || value > 1)
    return fmt::format("{} of {} is no probability; type 0 to 1, such as {}=0.3", quote(text), name, name);
  share = value;
  return "";
}

std::string take_count(std::string_view name, std::string_view text, std::uint64_t max, std::uint64_t& count) {
  const auto parsed = parse_count(text);
  if (!parsed || *parsed.value > max) return fmt::format("{} of {} is no number; type 0 to {}", quote(text), name, max);
  count = *parsed.value;
  return "";
}

std::string take(std::string_view name, std::string_view text, net::Faults& faults) {
  const auto share = std::ranges::find(kFaultShares, name, &Share::name);
  if (share != kFaultShares.end()) return take_share(name, text, faults.*share->value);
  if (name == "seed") return take_count(name, text, UINT64_MAX, faults.seed);
  if (name != "withhold")
    return fmt::format("{} is no fault; type loss, duplicate, reorder, corrupt, withhold or seed, such as {}",
                       quote(name), kExample);
  std::uint64_t withheld = 0;
  std::string line = take_count(name, text, kWithheldMax, withheld);
  faults.withheld = static_cast<std::uint32_t>(withheld);
  return line;
}

}  // namespace

Parsed<net::Faults> parse_faults(std::string_view typed) {
  net::Faults faults;
  std::vector<std::string_view> names;
  for (std::string_view rest = typed;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos)
      return ParsedFaults::bad(fmt::format("{} is not NAME=VALUE; type some of {}", quote(item), kExample));
    const std::string_view name = item.substr(0, equals);
    if (std::ranges::find(names, name) != names.end())
      return ParsedFaults::bad(fmt::format("{} is given twice; keep one", quote(name)));
    names.push_back(name);
    if (std::string line = take(name, item.substr(equals + 1), faults); !line.empty())
      return ParsedFaults::bad(std::move(line));
    if (comma == std::string_view::npos) return ParsedFaults::good(faults);
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace mcplane::app
