// HELLO, RETRY, HELLO's ACK and BYE: what registration puts behind the header. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/siphash.h"
#include "wire/address.h"
#include "wire/header.h"
#include "wire/health_probe.h"

namespace mcplane::wire {

// A shadow worker says so with a bit of its own, not with a field: a broker that does not know it refuses the HELLO,
// and never gives it production's tasks.
enum class Service : std::uint8_t { kClient = 1, kWorker = 2, kBoth = 3, kShadowWorker = 6, kShadowBoth = 7 };
constexpr bool is_client(Service service) noexcept { return (raw(service) & 1U) != 0; }
constexpr bool is_worker(Service service) noexcept { return (raw(service) & 2U) != 0; }
// A worker that takes tasks with the flag SHADOW, and no others.
constexpr bool is_shadow(Service service) noexcept { return (raw(service) & 4U) != 0; }

inline constexpr std::size_t kCapabilitiesMax = 16;  // actions, models, tags: each list

struct HelloBody {
  Service service = Service::kClient;
  Id16 instance{};                                 // random for each process start
  std::uint16_t slots = 0;                         // worker: tasks it runs at once, 1-65535; client: slots it would use
  std::uint16_t weight = 1;                        // 1-1000
  std::string name;                                // for people, at most 64 bytes
  std::vector<std::string> actions, models, tags;  // each at most 16 names of 1-64 bytes; a worker has an action
  HealthProbe probe;                               // worker
};

// How many tasks a worker with that many slots has room for: those it runs, and those that a broker may send ahead so
// that the next one is there when a slot falls free. Beyond that it says nothing, and the ROUTE comes again.
constexpr std::uint32_t worker_tasks_max(std::uint16_t slots) noexcept {
  constexpr std::uint32_t kAhead = 16, kMax = 0xffff;
  return std::max<std::uint32_t>(slots, std::min(2U * slots + kAhead, kMax));
}

// nullopt when the table is unsound or breaks a limit named above.
std::optional<HelloBody> read_hello(std::span<const std::byte> table);
// Whether write_hello() may be called with it: the limits above hold and the table fits kTableBytesMax.
bool hello_within_limits(const HelloBody& hello);
// Multiple of 4 bytes, at most kTableBytesMax (CHECKed).
std::vector<std::byte> write_hello(const HelloBody& hello);

// The cookie a HELLO carries or a RETRY returns: kCookieBytes behind the lead. The datagram passed
// check_datagram() as a HELLO or RETRY.
fb::Cookie cookie_of(std::span<const std::byte> datagram) noexcept;

// Writes it there; the datagram holds at least the lead and kCookieBytes.
void set_cookie(std::span<std::byte> datagram, const fb::Cookie& cookie) noexcept;

// What an ACK to a HELLO grants. The datagram passed check_datagram() as such an ACK.
fb::Welcome welcome_of(std::span<const std::byte> datagram) noexcept;

// Cookies are stateless: the key is the broker's secret, drawn at its start.
fb::Cookie make_cookie(const SipKey& key, const Endpoint& peer, std::uint32_t now_ms) noexcept;
// Made by this key for this peer at most max_age_ms ago (serial-number arithmetic on the clock).
bool cookie_valid(const SipKey& key, const Endpoint& peer, const fb::Cookie& cookie, std::uint32_t now_ms,
                  std::uint32_t max_age_ms) noexcept;

}  // namespace mcplane::wire
