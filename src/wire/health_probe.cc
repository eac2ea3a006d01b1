// The text form is read from its two ends: kind and port in front, an HTTP status behind the last '='.
#include "wire/health_probe.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/types.h"

namespace mcplane::wire {
namespace {

constexpr std::string_view kKinds[] = {"heartbeat", "tcp", "http", "grpc"};
constexpr std::size_t kStatusBytes = 4;  // "=204"
constexpr std::uint16_t kStatusMin = 100, kStatusMax = 599;

// Visible ASCII: no space, and nothing that could end a line of a request.
bool is_visible(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

std::optional<std::uint16_t> whole(std::string_view digits) noexcept {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool all = error == std::errc() && end == digits.data() + digits.size();
  return all ? std::optional(value) : std::nullopt;
}

// The status behind a path, if there is one. What is no three digits belongs to the path.
std::optional<std::uint16_t> status_behind(std::string_view path) noexcept {
  const bool has_room = path.size() > kStatusBytes && path[path.size() - kStatusBytes] == '=';
  return has_room ? whole(path.substr(path.size() - kStatusBytes + 1)) : std::nullopt;
}

}  // namespace

bool is_sound(const HealthProbe& probe) noexcept {
  if (probe.target.size() > kProbeTargetBytesMax || !is_visible(probe.target)) return false;
  switch (probe.kind) {
    case ProbeKind::kHeartbeat:
      return probe == HealthProbe{};
    case ProbeKind::kTcp:
      return probe.port > 0 && probe.target.empty() && probe.status == kHttpOk;
    case ProbeKind::kHttp:
      return probe.port > 0 && probe.target.starts_with('/') && probe.status >= kStatusMin &&
             probe.status <= kStatusMax;
    case ProbeKind::kGrpc:
      return probe.port > 0 && probe.status == kHttpOk;
  }
  return false;
}

std::string parse_probe(std::string_view text, HealthProbe& probe) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto kind = std::ranges::find(kKinds, text.substr(0, colon));
  HealthProbe read;
  read.kind = static_cast<ProbeKind>(kind - std::begin(kKinds));
  if (kind == std::end(kKinds) || read.asks() == (colon == text.size()))
    return "is no probe; type heartbeat, tcp:PORT, http:PORT/PATH, http:PORT/PATH=STATUS, grpc:PORT or "
           "grpc:PORT/SERVICE";
  if (!read.asks()) {
    probe = read;
    return "";
  }
  const std::string_view rest = text.substr(colon + 1);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const auto port = whole(rest.substr(0, slash));
  if (!port || *port == 0) return "has no port behind its ':'; type 1 to 65535";
  read.port = *port;
  const bool http = read.kind == ProbeKind::kHttp;
  // A path keeps its slash, a service has none.
  if (slash < rest.size()) read.target = rest.substr(http ? slash : slash + 1);
  if (read.kind == ProbeKind::kTcp && slash < rest.size())
    return "asks a port for more than a connection; type tcp:PORT";
  if (http && read.target.empty()) return "has no path behind its port; type http:PORT/PATH, such as http:9000/health";
  if (const auto status = status_behind(read.target); http && status) {
    read.status = *status;
    read.target.resize(read.target.size() - kStatusBytes);
  }
  if (http && (read.status < kStatusMin || read.status > kStatusMax))
    return "expects a status that no server sends; type 100 to 599 behind '='";
  if (!is_sound(read))
    return "has a target that cannot be asked for; type at most 128 characters, none a space or a control character";
  probe = std::move(read);
  return "";
}

std::string to_string(const HealthProbe& probe) {
  std::string text(kKinds[raw(probe.kind)]);
  if (!probe.asks()) return text;
  text += ':' + std::to_string(probe.port);
  if (probe.kind == ProbeKind::kGrpc && !probe.target.empty()) text += '/';
  text += probe.target;
  // A path may itself end like one with a status.
  if (probe.kind == ProbeKind::kHttp && (probe.status != kHttpOk || status_behind(probe.target)))
    text += '=' + std::to_string(probe.status);
  return text;
}

}  // namespace mcplane::wire
