// See known_sender.h.
#include "wire/known_sender.h"

#include <immintrin.h>

#include <algorithm>

#include "wire/checksum.h"
#include "wire/header.h"
#include "wire/layout.h"
#include "wire/wide_sum.h"

namespace mcplane::wire {
namespace {

constexpr std::size_t kWindow = KnownSender::kWindow;
constexpr std::size_t kUdpChecksumBytes = 2;

using Bytes = std::array<std::byte, 2 * kWindow>;

// All of a frame's headers, to the bits that must not vary.
constexpr std::array<std::byte, kLowerBytesMax> significant_bits(bool ipv6, bool tagged) {
  std::array<std::byte, kLowerBytesMax> bits{};
  const auto set = [&bits](std::size_t at, std::size_t count, std::uint8_t value = 0xff) {
    for (std::size_t i = 0; i < count; ++i) bits[at + i] = std::byte{value};
  };
  set(0, 6);        // our MAC
  set(6, 1, 0x01);  // a sender is no group
  set(12, 2);       // EtherType
  if (tagged) {
    set(14, 1, 0x0f);  // the id, not the priority
    set(15, 3);
  }
  const std::size_t l3 = kEthernetBytes + (tagged ? kVlanBytes : 0);
  if (ipv6) {
    set(l3, 1, 0xf0);     // version
    set(l3 + 6, 1);       // next header
    set(l3 + 8, 2 * 16);  // addresses
  } else {
    set(l3, 1);            // version, no options
    set(l3 + 6, 1, 0x3f);  // no fragment
    set(l3 + 7, 1);
    set(l3 + 9, 1);       // protocol
    set(l3 + 12, 2 * 4);  // addresses
  }
  set(l3 + (ipv6 ? kIpv6Bytes : kIpv4Bytes), 4);  // ports
  return bits;
}

constexpr std::size_t second_window_at(std::size_t lead_at) noexcept { return lead_at - kUdpChecksumBytes - kWindow; }

// Both windows of `headers`, which end at lead_at.
constexpr Bytes windows_of(const std::array<std::byte, kLowerBytesMax>& headers, std::size_t lead_at) noexcept {
  Bytes windows{};
  for (std::size_t i = 0; i < kWindow; ++i) {
    windows[i] = headers[i];
    windows[kWindow + i] = headers[second_window_at(lead_at) + i];
  }
  return windows;
}

constexpr std::size_t lead_of(bool ipv6, bool tagged) noexcept {
  return kEthernetBytes + (tagged ? kVlanBytes : 0) + (ipv6 ? kIpv6Bytes : kIpv4Bytes) + kUdpBytes;
}
constexpr std::size_t layout_of(bool ipv6, bool tagged) noexcept { return (ipv6 ? 2U : 0U) + (tagged ? 1U : 0U); }

struct alignas(kCacheLineBytes) Mask {
  Bytes bytes;
};
constexpr std::array<Mask, 4> kMasks = [] {
  std::array<Mask, 4> masks{};
  for (const bool ipv6 : {false, true})
    for (const bool tagged : {false, true})
      masks[layout_of(ipv6, tagged)].bytes = windows_of(significant_bits(ipv6, tagged), lead_of(ipv6, tagged));
  return masks;
}();
static_assert(second_window_at(lead_of(false, false)) <= kWindow && second_window_at(lead_of(true, true)) <= kWindow,
              "no byte between the windows");

bool headers_match(const KnownSender& sender, const std::byte* frame) noexcept {
  const auto wide = [](const std::byte* at) { return load_word<__m256i>(at); };
  const std::byte* const want = sender.want.data();
  const std::byte* const mask = kMasks[sender.layout].bytes.data();
  const __m256i first = _mm256_and_si256(_mm256_xor_si256(wide(frame), wide(want)), wide(mask));
  const __m256i second = _mm256_and_si256(
      _mm256_xor_si256(wide(frame + second_window_at(sender.lead_at)), wide(want + kWindow)), wide(mask + kWindow));
  const __m256i different = _mm256_or_si256(first, second);
  return _mm256_testz_si256(different, different) != 0;
}

// Bytes of the IP packet behind its header; negative when it does not fit the frame, or its checksum is wrong.
std::ptrdiff_t ip_payload_bytes(const KnownSender& sender, std::span<const std::byte> frame) noexcept {
  const std::byte* const ip = frame.data() + sender.l3_at;
  const auto room = static_cast<std::ptrdiff_t>(frame.size() - sender.l3_at);
  if (sender.ipv6) {
    const std::ptrdiff_t length = load_be16(ip + 4);
    return length <= room - static_cast<std::ptrdiff_t>(kIpv6Bytes) ? length : -1;
  }
  if (sum_ipv4_header(ip) != 0xffff) return -1;
  const std::ptrdiff_t length = load_be16(ip + 2);
  return length <= room ? length - static_cast<std::ptrdiff_t>(kIpv4Bytes) : -1;
}

}  // namespace

KnownSender make_known_sender(const LowerHeaders& towards) noexcept {
  KnownSender sender;
  if (towards.length == 0) return sender;  // no way to that peer: nobody is known
  const bool tagged = towards.l3_offset != kEthernetBytes;
  sender.layout = static_cast<std::uint8_t>(layout_of(towards.ipv6, tagged));
  sender.lead_at = towards.length;
  sender.l3_at = towards.l3_offset;
  sender.ipv6 = towards.ipv6;
  if (tagged) sender.vlan = load_be16(towards.bytes.data() + kEthernetBytes);
  sender.pseudo_sum = __builtin_bswap16(towards.pseudo_sum);

  std::array<std::byte, kLowerBytesMax> back{};
  std::copy_n(towards.bytes.begin(), back.size(), back.begin());
  const auto swap = [&back](std::size_t a, std::size_t b, std::size_t count) {
    std::swap_ranges(back.begin() + static_cast<std::ptrdiff_t>(a),
                     back.begin() + static_cast<std::ptrdiff_t>(a + count),
                     back.begin() + static_cast<std::ptrdiff_t>(b));
  };
  swap(0, 6, 6);
  const std::size_t address_bytes = towards.ipv6 ? 16 : 4;
  const std::size_t addresses = towards.l3_offset + (towards.ipv6 ? 8U : 12U);
  swap(addresses, addresses + address_bytes, address_bytes);
  swap(towards.udp_offset, towards.udp_offset + 2U, 2);
  sender.want = windows_of(back, sender.lead_at);
  const Bytes& mask = kMasks[sender.layout].bytes;
  for (std::size_t i = 0; i < mask.size(); ++i) sender.want[i] &= mask[i];
  sender.want[6] &= std::byte{0xfe};  // what the next hop's MAC is does not matter
  return sender;
}

bool recognise(const KnownSender& sender, std::span<const std::byte> frame, bool checksum_good,
               Datagram& out) noexcept {
  if (!headers_match(sender, frame.data())) return false;
  const std::byte* const lead = frame.data() + sender.lead_at;
  const std::uint16_t udp_length = load_be16(lead - 4);
  const std::ptrdiff_t tail_bytes = std::ptrdiff_t{udp_length} - static_cast<std::ptrdiff_t>(kUdpBytes + kLeadBytes);
  if (udp_length > ip_payload_bytes(sender, frame) || tail_bytes < 0) return false;

  const auto field = load_word<std::uint16_t>(lead - kUdpChecksumBytes);
  if (field == 0) return false;
  // The length counts twice: in the pseudo header and in the UDP header.
  const std::uint64_t head = sum_lead(lead) + sender.pseudo_sum + field + 2U * __builtin_bswap16(udp_length);
  std::uint16_t tail = 0;
  if (!checksum_good) {
    const std::uint64_t sum = sum_tail(lead, static_cast<std::size_t>(tail_bytes));
    if (fold(head + sum) != 0xffff) return false;
    tail = fold(sum);
  } else if (tail_bytes > 0) {
    tail = checksum_of(fold(head));  // see datagram.cc: what the field says of the whole, less what was read
  }
  out.frame_class = FrameClass::kUdp;
  out.reason = DropReason::kNone;
  out.l3_offset = sender.l3_at;
  out.udp_offset = static_cast<std::uint8_t>(sender.lead_at - kUdpBytes);
  out.payload_offset = sender.lead_at;
  out.payload_length = static_cast<std::uint16_t>(udp_length - kUdpBytes);
  out.vlan = sender.vlan;
  out.tail_sum = __builtin_bswap16(tail);
  out.destination_port = load_be16(lead - 6);
  return true;
}

}  // namespace mcplane::wire
