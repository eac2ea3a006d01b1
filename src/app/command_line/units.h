// What people type, as values: durations, sizes, rates, counts, CPU lists, addresses. Quantities carry their unit, so
// nobody has to remember which one a flag takes. Pure functions over untrusted text; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/address.h"

namespace mcplane::app {

// Either a value, or one line that quotes what was typed and says what to type instead.
template <class T>
struct Parsed {
  std::optional<T> value;
  std::string error;

  explicit operator bool() const noexcept { return value.has_value(); }
  static Parsed good(T made) { return {std::move(made), {}}; }
  static Parsed bad(std::string line) { return {std::nullopt, std::move(line)}; }
};

inline constexpr unsigned kCpuMax = 4'095;

// "250us", "1.5s", "100ms", "2m", "1h" -> nanoseconds, at most 1000 h.
Parsed<std::uint64_t> parse_duration_ns(std::string_view text);
// "100B", "64KiB", "512MiB", "1.5GiB" -> bytes, at most 1024 GiB.
Parsed<std::uint64_t> parse_size_bytes(std::string_view text);
// "50/s", "200k/s", "1.5M/s" -> events per second, at most 1000M/s.
Parsed<double> parse_rate_per_second(std::string_view text);
// "50%", "2.5%" -> 0.5, 0.025: at most 1.
Parsed<double> parse_share(std::string_view text);
// "1.25" -> 1.25: digits with at most one dot.
Parsed<double> parse_factor(std::string_view text);
// "32" -> 32: digits only.
Parsed<std::uint64_t> parse_count(std::string_view text);
// "2-5,7" -> {2, 3, 4, 5, 7}: ascending, each CPU once, 0 to kCpuMax.
Parsed<std::vector<unsigned>> parse_cpu_list(std::string_view text);
// "10.0.0.1", "fd00::1".
Parsed<wire::IpAddress> parse_address(std::string_view text);
// "10.0.0.1/24", "fd00::1/64": a unicast host's address, neither its network's nor a broadcast.
Parsed<wire::Prefix> parse_host_prefix(std::string_view text);
// "02:00:00:00:00:01": unicast, not zero.
Parsed<wire::MacAddress> parse_mac(std::string_view text);

// Text that the parsers above read back as the same value, in the largest unit that divides it.
std::string format_duration_ns(std::uint64_t duration_ns);
std::string format_size_bytes(std::uint64_t size_bytes);
std::string format_rate_per_second(double rate);
std::string format_share(double share);
// The text with control characters, line ends among them, shown as '?'.
std::string one_line(std::string_view text);
// 'text' as somebody typed it, on one line of bounded length.
std::string quote(std::string_view typed);

}  // namespace mcplane::app
