// See values.h.
#include "app/load/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/types.h"

namespace mcplane::app {
namespace {

constexpr double kSigmaMax = 5;
constexpr std::size_t kListedSizesMax = 1'000'000;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(at); end != std::string_view::npos; end = text.find(at)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

// "0.5"; not negative.
std::optional<double> parse_real(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0)) return std::nullopt;
  return value;
}

// "50us:5ms:0.5%", behind "bimodal:".
Parsed<loadgen::ServiceTime> parse_bimodal(std::string_view text) {
  using Result = Parsed<loadgen::ServiceTime>;
  const std::vector<std::string_view> parts = split(text, ':');
  const std::string wanted = quote(text) +
                             " is no bimodal time: type most tasks' time, the others' and their share, "
                             "such as bimodal:50us:5ms:0.5%";
  if (parts.size() != 3 || !parts[2].ends_with('%')) return Result::bad(wanted);
  const auto most_ns = parse_duration_ns(parts[0]), rare_ns = parse_duration_ns(parts[1]);
  if (!most_ns) return Result::bad(most_ns.error);
  if (!rare_ns) return Result::bad(rare_ns.error);
  const auto percent = parse_real(parts[2].substr(0, parts[2].size() - 1));
  if (!percent || *percent > 100) return Result::bad(wanted);
  return Result::good({.form = loadgen::ServiceTime::Form::kBimodal,
                       .mean_ns = *most_ns.value,
                       .rare_ns = *rare_ns.value,
                       .rare_share = *percent / 100});
}

// "50us:1.5", behind "lognormal:".
Parsed<loadgen::ServiceTime> parse_lognormal(std::string_view text) {
  using Result = Parsed<loadgen::ServiceTime>;
  const std::vector<std::string_view> parts = split(text, ':');
  const auto sigma = parts.size() == 2 ? parse_real(parts[1]) : std::nullopt;
  if (!sigma || *sigma > kSigmaMax)
    return Result::bad(quote(text) +
                       " is no lognormal time: type its mean and the deviation of its logarithm, 0 to 5, "
                       "such as lognormal:50us:1.5");
  const auto mean_ns = parse_duration_ns(parts[0]);
  if (!mean_ns) return Result::bad(mean_ns.error);
  return Result::good({.form = loadgen::ServiceTime::Form::kLognormal, .mean_ns = *mean_ns.value, .sigma = *sigma});
}

// Without the blanks at its ends, and the CR of a line that has one.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

std::string prompt_size_error(std::uint64_t bytes) {
  if (bytes >= loadgen::kPromptBytesMin && bytes <= loadgen::kPromptBytesMost) return {};
  return fmt::format("a prompt has {}B to {}B, not {}B", loadgen::kPromptBytesMin, loadgen::kPromptBytesMost, bytes);
}

// A size of a prompt.
Parsed<std::uint64_t> parse_prompt_bytes(std::string_view text) {
  auto parsed = parse_size_bytes(text);
  if (!parsed) return parsed;
  std::string error = prompt_size_error(*parsed.value);
  return error.empty() ? parsed : Parsed<std::uint64_t>::bad(std::move(error));
}

// A size a line; "#" begins what is for people.
Parsed<PayloadFlag> read_sizes(const std::string& path) {
  using Result = Parsed<PayloadFlag>;
  std::ifstream file(path);
  auto list = std::make_shared<std::vector<std::uint32_t>>();
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    const std::string_view size = trimmed(std::string_view(line).substr(0, line.find('#')));
    if (size.empty()) continue;
    const auto bytes = parse_prompt_bytes(size);
    const std::string at = one_line(fmt::format("{}:{}: ", path, number));
    if (!bytes) return Result::bad(at + bytes.error);
    if (list->size() == kListedSizesMax) return Result::bad(at + fmt::format("more than {} sizes", kListedSizesMax));
    list->push_back(static_cast<std::uint32_t>(*bytes.value));
  }
  // A folder can be opened, but not read.
  if (!file.eof()) return Result::bad("cannot read " + quote(path) + ": " + std::strerror(errno));
  if (list->empty()) return Result::bad(quote(path) + " has no sizes: one a line, such as 256B");
  const std::uint32_t largest = *std::ranges::max_element(*list);
  return Result::good({{.form = loadgen::PromptSizes::Form::kList, .list = std::move(list)}, largest});
}

}  // namespace

Parsed<PayloadFlag> parse_payload(std::string_view text) {
  using Result = Parsed<PayloadFlag>;
  using Form = loadgen::PromptSizes::Form;
  if (text.starts_with("file:")) return read_sizes(std::string(text.substr(text.find(':') + 1)));
  const bool uniform = text.starts_with("uniform:"), exponential = text.starts_with("exp:");
  const std::vector<std::string_view> sizes = split(text.substr(uniform || exponential ? text.find(':') + 1 : 0), '-');
  if (sizes.size() != (uniform ? 2U : 1U))
    return Result::bad(quote(text) + " is no payload: type 256B, uniform:64B-1KiB, exp:256B or file:PATH");
  std::vector<std::uint64_t> bytes;
  for (const std::string_view size : sizes) {
    const auto parsed = parse_prompt_bytes(size);
    if (!parsed) return Result::bad(parsed.error);
    bytes.push_back(*parsed.value);
  }
  if (uniform && bytes[0] > bytes[1]) return Result::bad(quote(text) + " goes down: type the smaller size first");
  if (uniform) return Result::good({{.form = Form::kUniform, .bytes_min = bytes[0]}, bytes[1]});
  if (exponential) return Result::good({{.form = Form::kExponential, .mean = static_cast<double>(bytes[0])}, bytes[0]});
  return Result::good({{}, bytes[0]});
}

Parsed<loadgen::StreamShape> parse_stream(std::string_view text) {
  using Result = Parsed<loadgen::StreamShape>;
  const std::vector<std::string_view> parts = split(text, ':');
  if (parts.size() != 2)
    return Result::bad(quote(text) + " is no stream: type how many chunks, and their size, such as 100:32B");
  const auto chunks = parse_count(parts[0]);
  if (!chunks) return Result::bad(chunks.error);
  const auto bytes = parse_size_bytes(parts[1]);
  if (!bytes) return Result::bad(bytes.error);
  if (*chunks.value == 0 || *chunks.value > loadgen::kChunksMax)
    return Result::bad(fmt::format("a stream has 1 to {} chunks, not {}", loadgen::kChunksMax, *chunks.value));
  if (*bytes.value < loadgen::kChunkBytesMin || *bytes.value > wire::kMessageBytesMax)
    return Result::bad(
        fmt::format("a chunk has {}B to what fits a frame, not {}B", loadgen::kChunkBytesMin, *bytes.value));
  return Result::good(
      {.chunks = static_cast<std::uint32_t>(*chunks.value), .chunk_bytes = static_cast<std::uint32_t>(*bytes.value)});
}

Parsed<loadgen::SweepRange> parse_sweep(std::string_view text) {
  using Result = Parsed<loadgen::SweepRange>;
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos)
    return Result::bad(quote(text) + " is no range of rates: type two, such as 10k/s..500k/s");
  const auto from = parse_rate_per_second(text.substr(0, dots)), to = parse_rate_per_second(text.substr(dots + 2));
  if (!from) return Result::bad(from.error);
  if (!to) return Result::bad(to.error);
  if (*from.value <= 0 || *from.value >= *to.value)
    return Result::bad(quote(text) + " does not rise: type the lower rate first, such as 10k/s..500k/s");
  return Result::good({*from.value, *to.value});
}

Parsed<loadgen::ServiceTime> parse_service_time(std::string_view text) {
  using Form = loadgen::ServiceTime::Form;
  if (text == "none") return Parsed<loadgen::ServiceTime>::good({});
  const std::size_t colon = text.find(':');
  const std::string_view form = text.substr(0, colon);
  if (form == "bimodal" && colon != std::string_view::npos) return parse_bimodal(text.substr(colon + 1));
  if (form == "lognormal" && colon != std::string_view::npos) return parse_lognormal(text.substr(colon + 1));
  if (colon == std::string_view::npos || (form != "const" && form != "exp"))
    return Parsed<loadgen::ServiceTime>::bad(
        quote(text) +
        " is no service time: type none, const:50us, exp:50us, bimodal:50us:5ms:0.5% or lognormal:50us:1.5");
  const auto mean_ns = parse_duration_ns(text.substr(colon + 1));
  if (!mean_ns) return Parsed<loadgen::ServiceTime>::bad(mean_ns.error);
  return Parsed<loadgen::ServiceTime>::good(
      {.form = form == "exp" ? Form::kExponential : Form::kConstant, .mean_ns = *mean_ns.value});
}

Parsed<loadgen::FaultyWorkers> parse_faulty_workers(std::string_view text) {
  using Result = Parsed<loadgen::FaultyWorkers>;
  using Form = loadgen::FaultyWorkers::Form;
  constexpr std::uint64_t kTimesMax = 1'000'000;
  const std::vector<std::string_view> parts = split(text, ':');
  const bool slow = parts.size() == 3 && parts[0] == "slow";
  if (!slow && (parts.size() != 2 || parts[0] != "fail"))
    return Result::bad(quote(text) + " are no faulty workers: type fail:1 or slow:1:10");
  const auto count = parse_count(parts[1]);
  if (!count) return Result::bad(count.error);
  const auto times = slow ? parse_count(parts[2]) : Parsed<std::uint64_t>::good(1);
  if (!times) return Result::bad(times.error);
  if (*count.value == 0 || *count.value > loadgen::kEndpointsMax || *times.value == 0 || *times.value > kTimesMax)
    return Result::bad(quote(text) + fmt::format(" is out of range: 1 to {} workers, 1 to {} times",
                                                 loadgen::kEndpointsMax, kTimesMax));
  return Result::good({.form = slow ? Form::kSlow : Form::kFail,
                       .count = static_cast<std::uint32_t>(*count.value),
                       .times = static_cast<std::uint32_t>(*times.value)});
}

}  // namespace mcplane::app
