// Our addresses on a DPDK port, and the next hop behind which the broker is: answers who asks for us, asks for the
// next hop's MAC and keeps it fresh, takes frames of the broker apart and writes the headers of every datagram to it.
// Endpoints share the addresses and differ by UDP port. Sans-I/O: frames and time in, frames out. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "wire/datagram.h"
#include "wire/lower_headers.h"

namespace mcplane::loadgen {

struct LinkOptions {
  std::vector<wire::Prefix> addresses;  // ours, 1 to wire::LocalAddresses::kCapacity
  wire::MacAddress mac{};
  wire::IpAddress broker;
  wire::IpAddress next_hop;   // the broker itself, or a gateway
  std::uint16_t mtu = 1'500;  // largest IP packet, bytes
};

// What the headers of a datagram to us say.
struct Inbound {
  std::size_t address = 0;  // index of ours
  std::uint16_t port = 0, source_port = 0;
  std::size_t offset = 0, bytes = 0;  // of the datagram in its frame
};

class Link {
 public:
  // Room for any frame that on_frame() or write_due() write.
  static constexpr std::size_t kFrameBytesMax = 1'536;

  explicit Link(const LinkOptions& options);

  const wire::IpAddress& broker() const noexcept { return options_.broker; }
  const wire::LocalAddresses& local() const noexcept { return local_; }
  // The next hop's MAC is known: datagrams may go out.
  bool resolved() const noexcept { return resolved_; }

  // Whether the frame is a sound IPv4 datagram of the broker to us, in the form that hosts send them: everything that
  // wire::parse_frame() verifies, in one pass over the frame. False leaves the verdict to that.
  bool read(std::span<const std::byte> frame, bool checksum_good, Inbound& inbound) const noexcept;
  // Index of our address; it is one.
  std::size_t index_of(const wire::IpAddress& address) const noexcept;

  // A frame that is no datagram to us: learns from it, and writes the answer that is due; returns its length, or 0.
  std::size_t on_frame(std::span<const std::byte> frame, std::span<std::byte> answer) noexcept;
  // What is due by now: an announcement or a question. Returns its length; 0: nothing more.
  std::size_t write_due(std::uint64_t now_ns, std::span<std::byte> frame) noexcept;
  std::uint64_t next_due_ns() const noexcept { return announced_ == local_.count ? ask_ns_ : 0; }

  std::size_t header_bytes() const noexcept { return headers_[0].length; }
  std::size_t datagram_bytes_max() const noexcept { return wire::kEthernetBytes + options_.mtu - header_bytes(); }
  // From our address of that index: Ethernet to UDP headers, header_bytes() long, before a datagram whose bytes sum to
  // datagram_sum.
  void write_headers(std::byte* frame, std::size_t address, std::uint16_t source_port, std::uint16_t destination_port,
                     std::uint16_t datagram_bytes, std::uint16_t datagram_sum) const noexcept;

 private:
  void learn(const wire::MacAddress& mac) noexcept;

  LinkOptions options_;
  wire::LocalAddresses local_;
  wire::MacAddress next_hop_mac_;
  std::array<wire::LowerHeaders, wire::LocalAddresses::kCapacity> headers_;  // by our address, with ports 0
  // For read().
  bool ipv4_ = false;
  std::uint32_t broker_word_ = 0;
  std::array<std::uint32_t, wire::LocalAddresses::kCapacity> address_words_{};
  bool resolved_ = false;
  std::size_t announced_ = 0;  // so many of our addresses
  std::uint64_t ask_ns_ = 0;
};

}  // namespace mcplane::loadgen
