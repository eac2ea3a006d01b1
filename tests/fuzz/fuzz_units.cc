// What people type, read by every parser: a value within its limits or one line of bounded length, never both.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "app/command_line/units.h"
#include "fuzz/fuzz_target.h"

namespace {

using namespace mcplane;

void require(bool fact) {
  if (!fact) std::abort();
}

template <class T>
void require_sound(const app::Parsed<T>& parsed) {
  constexpr std::size_t kLineBytesMax = 400;
  require(parsed.value.has_value() == parsed.error.empty());
  require(parsed.error.size() <= kLineBytesMax && parsed.error.find('\n') == std::string::npos);
}

// What a formatter writes is what its parser reads.
void require_sound(const app::Parsed<std::uint64_t>& parsed, app::Parsed<std::uint64_t> (*parse)(std::string_view),
                   std::string (*format)(std::uint64_t)) {
  require_sound(parsed);
  if (parsed) require(parse(format(*parsed.value)).value == parsed.value);
}

void require_sound_cpus(std::string_view text) {
  const auto parsed = app::parse_cpu_list(text);
  require_sound(parsed);
  if (!parsed) return;
  require(!parsed.value->empty() && parsed.value->back() <= app::kCpuMax);
  require(std::ranges::is_sorted(*parsed.value, std::less_equal<>()));
}

void require_sound_prefix(std::string_view text) {
  const auto parsed = app::parse_host_prefix(text);
  require_sound(parsed);
  if (parsed) require(parsed.value->length <= (parsed.value->ip.is_v4() ? 32 : 128));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::copy_of(data, size);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  require_sound(app::parse_duration_ns(text), app::parse_duration_ns, app::format_duration_ns);
  require_sound(app::parse_size_bytes(text), app::parse_size_bytes, app::format_size_bytes);
  require_sound(app::parse_rate_per_second(text));
  require_sound(app::parse_count(text));
  require_sound(app::parse_mac(text));
  require_sound_cpus(text);
  require_sound_prefix(text);
  return 0;
}
