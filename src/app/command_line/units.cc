// One scanner serves every quantity: digits with at most one dot, then a unit from a table. Signs, exponents, "inf" and
// blanks are refused, so what is accepted reads the same to everybody.
#include "app/command_line/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <charconv>
#include <cmath>
#include <iterator>
#include <span>

namespace mcplane::app {
namespace {

struct Unit {
  std::string_view name;
  double scale;
};

// Ascending, as the formatters need.
constexpr Unit kDurations[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
constexpr Unit kSizes[] = {{"B", 1}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
constexpr Unit kRates[] = {{"/s", 1}, {"k/s", 1e3}, {"M/s", 1e6}};
constexpr Unit kShares[] = {{"%", 0.01}};

struct Quantity {
  std::string_view name;     // "duration"
  std::string_view example;  // "100ms"
  std::span<const Unit> units;
  double max;  // in units of scale 1; below 2^53, so doubles hold every step
};

constexpr Quantity kDuration{"duration", "100ms", kDurations, 1000 * 3600e9};
constexpr Quantity kSize{"size", "64KiB", kSizes, 1024 * 1073741824.0};
constexpr Quantity kRate{"rate", "200k/s", kRates, 1e9};
constexpr Quantity kShare{"share", "50%", kShares, 1};

// "us, ms, s, m or h", each behind `number`.
std::string units_after(std::string_view number, std::span<const Unit> units) {
  std::string text;
  for (const Unit& unit : units) {
    if (!text.empty()) text += &unit == &units.back() ? " or " : ", ";
    text.append(number).append(unit.name);
  }
  return text;
}

constexpr bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// Length of the leading "12" or "12.5"; 0 when there is none.
std::size_t number_length(std::string_view text) {
  const auto end_of_digits = [&](std::size_t at) {
    while (at < text.size() && is_digit(text[at])) ++at;
    return at;
  };
  const std::size_t whole = end_of_digits(0);
  if (whole == 0 || whole == text.size() || text[whole] != '.') return whole;
  const std::size_t end = end_of_digits(whole + 1);
  return end == whole + 1 ? 0 : end;
}

Parsed<double> parse_quantity(std::string_view text, const Quantity& quantity) {
  using Result = Parsed<double>;
  const std::size_t length = number_length(text);
  const std::string_view number = text.substr(0, length);
  const std::string_view unit_name = text.substr(length);
  if (length == 0)
    return Result::bad(fmt::format("{} is not a {}; type a number and a unit, such as {}", quote(text), quantity.name,
                                   quantity.example));
  if (unit_name.empty())
    return Result::bad(
        fmt::format("{} has no unit; type {}", quote(text), units_after(number.substr(0, 20), quantity.units)));
  const auto unit = std::ranges::find(quantity.units, unit_name, &Unit::name);
  if (unit == quantity.units.end())
    return Result::bad(fmt::format("{} has the unknown unit {}; type {}, such as {}", quote(text), quote(unit_name),
                                   units_after("", quantity.units), quantity.example));
  double value = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  value *= unit->scale;
  if (parsed.ec != std::errc{} || value > quantity.max)
    return Result::bad(
        fmt::format("{} is too large; type a smaller {}, such as {}", quote(text), quantity.name, quantity.example));
  return Result::good(value);
}

// Rounds to whole nanoseconds or bytes; what would round to nothing is refused.
Parsed<std::uint64_t> parse_whole(std::string_view text, const Quantity& quantity) {
  const auto parsed = parse_quantity(text, quantity);
  if (!parsed) return Parsed<std::uint64_t>::bad(parsed.error);
  const double rounded = std::round(*parsed.value);
  if (rounded == 0 && *parsed.value > 0)
    return Parsed<std::uint64_t>::bad(
        fmt::format("{} is too small; type a larger {}, such as {}", quote(text), quantity.name, quantity.example));
  return Parsed<std::uint64_t>::good(static_cast<std::uint64_t>(rounded));
}

std::string format_whole(std::uint64_t value, const Quantity& quantity) {
  for (auto unit = quantity.units.rbegin(); unit != quantity.units.rend(); ++unit) {
    const auto scale = static_cast<std::uint64_t>(unit->scale);
    if (value >= scale && value % scale == 0) return fmt::format("{}{}", value / scale, unit->name);
  }
  const Unit& least = quantity.units.front();
  return fmt::format("{}{}", static_cast<double>(value) / least.scale, least.name);
}

template <class T>
bool parse_digits(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// Whether the bits behind the prefix are all `bit`.
bool host_bits_are(const wire::Prefix& prefix, bool bit) {
  for (std::size_t at = prefix.length + (prefix.ip.is_v4() ? 96U : 0U); at < 128; ++at)
    if (((prefix.ip.bytes[at / 8] >> (7 - at % 8)) & 1) != (bit ? 1 : 0)) return false;
  return true;
}

bool is_unicast(const wire::IpAddress& ip) {
  if (ip.is_v4()) return ip.bytes[12] != 0 && ip.bytes[12] != 127 && ip.bytes[12] < 224;
  wire::IpAddress loopback{};
  loopback.bytes[15] = 1;
  return ip.bytes[0] != 0xff && ip != wire::IpAddress{} && ip != loopback;
}

}  // namespace

Parsed<std::uint64_t> parse_duration_ns(std::string_view text) { return parse_whole(text, kDuration); }
Parsed<std::uint64_t> parse_size_bytes(std::string_view text) { return parse_whole(text, kSize); }
Parsed<double> parse_rate_per_second(std::string_view text) { return parse_quantity(text, kRate); }

Parsed<double> parse_factor(std::string_view text) {
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (number_length(text) != text.size() || text.empty() || parsed.ec != std::errc{})
    return Parsed<double>::bad(quote(text) + " is not a number; type one such as 1.25");
  return Parsed<double>::good(value);
}

Parsed<double> parse_share(std::string_view text) {
  // A bare 0.5 is meant to be a half, not half a percent.
  if (const auto bare = parse_factor(text); bare && *bare.value <= 1)
    return Parsed<double>::bad(fmt::format("{} has no unit; type {}", quote(text), format_share(*bare.value)));
  return parse_quantity(text, kShare);
}

Parsed<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  if (!parse_digits(text, value))
    return Parsed<std::uint64_t>::bad(quote(text) + " is not a count; type a whole number, such as 32");
  return Parsed<std::uint64_t>::good(value);
}

Parsed<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
  using Result = Parsed<std::vector<unsigned>>;
  std::bitset<kCpuMax + 1> listed;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const std::size_t dash = item.find('-');
    unsigned first = 0;
    unsigned last = 0;
    const bool sound = parse_digits(item.substr(0, dash), first) &&
                       (dash == std::string_view::npos || parse_digits(item.substr(dash + 1), last));
    if (dash == std::string_view::npos) last = first;
    if (!sound) return Result::bad(quote(text) + " is not a list of CPUs; type numbers and ranges, such as 2-5,7");
    if (last < first) return Result::bad(fmt::format("{} runs backwards; type {}-{}", quote(item), last, first));
    if (last > kCpuMax)
      return Result::bad(fmt::format("{} is above the last CPU, {}; type a lower one", quote(item), kCpuMax));
    for (unsigned cpu = first; cpu <= last; ++cpu) listed.set(cpu);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu <= kCpuMax; ++cpu)
    if (listed.test(cpu)) cpus.push_back(cpu);
  return Result::good(std::move(cpus));
}

Parsed<wire::IpAddress> parse_address(std::string_view text) {
  using Result = Parsed<wire::IpAddress>;
  const auto ip = wire::parse_ip(text);
  return ip ? Result::good(*ip) : Result::bad(quote(text) + " is not an address; type one such as 10.0.0.254");
}

Parsed<wire::Prefix> parse_host_prefix(std::string_view text) {
  using Result = Parsed<wire::Prefix>;
  const auto prefix = wire::parse_prefix(text);
  if (!prefix) {
    const auto bare = wire::parse_ip(text);
    if (bare)
      return Result::bad(
          fmt::format("{} has no prefix length; type {}/{}", quote(text), text, bare->is_v4() ? 24 : 64));
    return Result::bad(quote(text) + " is not an address with its prefix; type 10.0.0.1/24 or fd00::1/64");
  }
  const bool v4 = prefix->ip.is_v4();
  if (!is_unicast(prefix->ip))
    return Result::bad(quote(text) + " is not a host's unicast address; type one such as " +
                       (v4 ? "10.0.0.1/24" : "fd00::1/64"));
  // RFC 3021 and RFC 6164: the two addresses of a point-to-point link are both hosts.
  const bool point_to_point = prefix->length >= (v4 ? 31 : 127);
  if (!point_to_point && host_bits_are(*prefix, false))
    return Result::bad(quote(text) + " is a network; type a host's address in it, such as " +
                       (v4 ? "10.0.0.1/24" : "fd00::1/64"));
  if (!point_to_point && v4 && host_bits_are(*prefix, true))
    return Result::bad(quote(text) + " is a broadcast address; type a host's, such as 10.0.0.1/24");
  return Result::good(*prefix);
}

Parsed<wire::MacAddress> parse_mac(std::string_view text) {
  using Result = Parsed<wire::MacAddress>;
  const std::string not_a_mac = quote(text) + " is not a MAC address; type six bytes, such as 02:00:00:00:00:01";
  wire::MacAddress mac{};
  if (text.size() != mac.size() * 3 - 1) return Result::bad(not_a_mac);
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const char* const digits = text.data() + i * 3;
    const auto [end, error] = std::from_chars(digits, digits + 2, mac[i], 16);
    if (error != std::errc{} || end != digits + 2) return Result::bad(not_a_mac);
    if (i + 1 < mac.size() && *end != ':') return Result::bad(not_a_mac);
  }
  if ((mac[0] & 1) != 0 || mac == wire::MacAddress{})
    return Result::bad(quote(text) + " is not a unicast MAC address; type one such as 02:00:00:00:00:01");
  return Result::good(mac);
}

std::string format_duration_ns(std::uint64_t duration_ns) {
  return duration_ns == 0 ? "0s" : format_whole(duration_ns, kDuration);
}

std::string format_size_bytes(std::uint64_t size_bytes) { return format_whole(size_bytes, kSize); }

std::string format_rate_per_second(double rate) {
  const Unit* shown = &kRates[0];
  for (const Unit& unit : kRates)
    if (rate >= unit.scale && std::fmod(rate, unit.scale / 1'000) == 0) shown = &unit;
  return fmt::format("{}{}", rate / shown->scale, shown->name);
}

// 0.07 is not 7.000000000000001 % to anybody.
std::string format_share(double share) { return fmt::format("{:.10g}%", share * 100); }

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f; }, '?');
  return line;
}

std::string quote(std::string_view typed) {
  constexpr std::size_t kBytesMax = 60;
  std::string quoted(1, '\'');
  quoted += one_line(typed.substr(0, kBytesMax));
  quoted += typed.size() > kBytesMax ? "...'" : "'";
  return quoted;
}

}  // namespace mcplane::app
