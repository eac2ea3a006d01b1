// What clients have in flight, and what became of it. A request is (client, slot, sequence) in one number, and its
// payload is the load generator's pattern of that number, so an answer that is damaged, another's, or comes twice shows
// whatever protocol carried it, and nothing is stored while it is away. One thread; time is passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "loadgen/histogram.h"
#include "loadgen/pattern.h"

namespace mcplane::peers {

class Ledger {
 public:
  // payload_bytes is at least loadgen::kPromptBytesMin; each client has `window` slots.
  Ledger(std::uint32_t clients, std::uint32_t window, std::size_t payload_bytes, std::uint64_t seed);

  std::uint32_t clients() const noexcept { return clients_; }
  std::uint32_t window() const noexcept { return window_; }
  std::size_t payload_bytes() const noexcept { return pattern_.bytes_max(); }

  // Whether clients go on sending; false while what is in flight comes home.
  bool open() const noexcept { return open_; }
  void close() noexcept { open_ = false; }

  // Starts a request on a free slot and writes its payload_bytes().
  void begin(std::uint32_t client, std::uint32_t slot, std::span<char> payload, std::uint64_t now_ns) noexcept;
  // Takes an answer that reached `client`, and gives the slot it freed; none when it answers nothing that is in flight.
  // `addressed` is the slot that the protocol's own correlation names, where it has one.
  std::optional<std::uint32_t> finish(std::uint32_t client, std::string_view answer, std::uint64_t now_ns,
                                      std::optional<std::uint32_t> addressed = std::nullopt) noexcept;

  // What follows counts as measured; counts of what is wrong are of the whole run.
  void start_measuring() noexcept;
  std::uint64_t measured() const noexcept { return latency_ns_.count(); }
  const loadgen::Histogram& latency_ns() const noexcept { return latency_ns_; }
  std::uint64_t sent() const noexcept { return sent_; }
  std::uint64_t in_flight() const noexcept { return in_flight_; }
  std::uint64_t wrong() const noexcept { return wrong_; }
  std::uint64_t duplicates() const noexcept { return duplicates_; }

 private:
  struct Slot {
    std::uint64_t sent_ns = 0;
    std::uint32_t sequence = 0;
    bool in_flight = false;
  };

  Slot& slot_of(std::uint32_t client, std::uint32_t slot) noexcept;

  std::uint32_t clients_, window_;
  loadgen::PromptPattern pattern_;
  std::vector<Slot> slots_;
  loadgen::Histogram latency_ns_;
  std::uint64_t sent_ = 0, in_flight_ = 0, wrong_ = 0, duplicates_ = 0;
  bool open_ = true;
};

}  // namespace mcplane::peers
