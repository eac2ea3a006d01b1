// Our one address on a DPDK port, and the next hop behind which the broker is: answers who asks for us, asks for the
// next hop's MAC and keeps it fresh, and writes the headers of every datagram. Endpoints share the address and differ
// by UDP port. Sans-I/O: frames and time in, frames out. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/datagram.h"

namespace mcplane::loadgen {

struct LinkOptions {
  wire::Prefix address;  // ours
  wire::MacAddress mac{};
  wire::IpAddress broker;
  wire::IpAddress next_hop;  // the broker itself, or a gateway
};

class Link {
 public:
  // Room for any frame that on_frame() or write_due() write.
  static constexpr std::size_t kFrameBytesMax = 1'536;

  explicit Link(const LinkOptions& options);

  const wire::LocalAddresses& local() const noexcept { return local_; }
  // The next hop's MAC is known: datagrams may go out.
  bool resolved() const noexcept { return resolved_; }

  // A frame that is no datagram to us: learns from it, and writes the answer that is due; returns its length, or 0.
  std::size_t on_frame(std::span<const std::byte> frame, std::span<std::byte> answer) noexcept;
  // What is due by now: an announcement or a question. Returns its length; 0: nothing more.
  std::size_t write_due(std::uint64_t now_ns, std::span<std::byte> frame) noexcept;
  std::uint64_t next_due_ns() const noexcept { return announced_ ? ask_ns_ : 0; }

  std::size_t header_bytes() const noexcept { return headers_.length; }
  // Ethernet to UDP headers, header_bytes() long, before a datagram whose bytes sum to datagram_sum.
  void write_headers(std::byte* frame, std::uint16_t source_port, std::uint16_t destination_port,
                     std::uint16_t datagram_bytes, std::uint16_t datagram_sum) const noexcept;

 private:
  void learn(const wire::MacAddress& mac) noexcept;

  LinkOptions options_;
  wire::LocalAddresses local_;
  wire::MacAddress next_hop_mac_;
  wire::LowerHeaders headers_;  // with ports 0
  bool resolved_ = false;
  bool announced_ = false;
  std::uint64_t ask_ns_ = 0;
};

}  // namespace mcplane::loadgen
