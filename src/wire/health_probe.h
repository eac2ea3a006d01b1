// How a worker wants its health asked after, beside its heartbeats: said in its HELLO, and spelled the same for people
// everywhere (`http:9000/health=204`). Where to ask is the address the HELLO came from; only the port is the worker's
// to say, so nobody points a broker at a third party. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mcplane::wire {

enum class ProbeKind : std::uint8_t { kHeartbeat, kTcp, kHttp, kGrpc };

inline constexpr std::size_t kProbeTargetBytesMax = 128;
inline constexpr std::uint16_t kHttpOk = 200;

struct HealthProbe {
  ProbeKind kind = ProbeKind::kHeartbeat;  // the lease alone: nothing else is asked
  std::uint16_t port = 0;                  // 1-65535; heartbeat: 0
  std::string target;                      // http: path; grpc: service, "" for the server as a whole; else ""
  std::uint16_t status = kHttpOk;          // http: the one expected, 100-599; else kHttpOk

  bool asks() const noexcept { return kind != ProbeKind::kHeartbeat; }
  friend bool operator==(const HealthProbe&, const HealthProbe&) = default;
};

// Kinds, ports and statuses as above; a target has at most kProbeTargetBytesMax visible ASCII characters, an HTTP one
// begins with '/'.
bool is_sound(const HealthProbe& probe) noexcept;

// "heartbeat", "tcp:PORT", "http:PORT/PATH[=STATUS]", "grpc:PORT[/SERVICE]". Returns what is wrong with the text, in
// words that end a sentence about it; "": `probe` is set, and sound.
std::string parse_probe(std::string_view text, HealthProbe& probe);
std::string to_string(const HealthProbe& probe);

}  // namespace mcplane::wire
