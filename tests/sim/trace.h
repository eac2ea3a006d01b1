// What happened, in order: a hash of all of it, the last events for a failure's report, and on request every event as a
// line. Equal hashes mean equal runs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mcplane::sim {

struct TraceEvent {
  std::uint64_t at_ns = 0;
  std::string_view what;           // of static storage
  std::uint32_t a = 0, b = 0;      // numbers that belong to it: peer, core, task, ...
  std::uint64_t digest = 0;        // of the frame it is about
  std::array<std::byte, 98> lead;  // that frame's magic and header
  bool framed = false;
};

class Trace {
 public:
  static constexpr std::size_t kLast = 64;

  explicit Trace(bool print) : print_(print) {}

  void note(std::uint64_t at_ns, std::string_view what, std::uint32_t a = 0, std::uint32_t b = 0);
  // About an MCP datagram, or any other frame's bytes.
  void note_frame(std::uint64_t at_ns, std::string_view what, std::uint32_t a, std::span<const std::byte> datagram);

  std::uint64_t hash() const noexcept { return hash_; }
  std::uint64_t events() const noexcept { return count_; }
  // One line an event, oldest first.
  std::string last() const;

 private:
  void add(const TraceEvent& event);
  static std::string line(const TraceEvent& event);

  bool print_;
  std::uint64_t hash_ = 0x6a09e667f3bcc908ULL;
  std::uint64_t count_ = 0;
  std::array<TraceEvent, kLast> ring_;
};

}  // namespace mcplane::sim
