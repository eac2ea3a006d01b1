// See known_sender.h.
#include "wire/known_sender.h"

#include <immintrin.h>

#include <array>
#include <bit>

#include "wire/checksum.h"
#include "wire/header.h"
#include "wire/layout.h"
#include "wire/wide_sum.h"

namespace mcplane::wire {
namespace {

constexpr std::size_t kWindow = 32;

struct alignas(kWindow) Window {
  std::array<std::byte, kWindow> bytes{};
};

// Of a frame's first bytes, turned round, the bits that must not vary. Where its IP addresses begin, others take over.
constexpr Window significant_bits(bool ipv6, bool tagged) {
  Window bits;
  const auto set = [&bits](std::size_t at, std::size_t count, std::uint8_t value = 0xff) {
    for (std::size_t i = 0; i < count; ++i) bits.bytes[at + i] = std::byte{value};
  };
  set(0, 1, 0x01);  // the sender's MAC is no group's, as ours to it is not; where it is now egress knows
  set(6, 6);        // our MAC
  set(12, 2);       // EtherType
  if (tagged) {
    set(14, 1, 0x0f);  // the id, not the priority
    set(15, 3);
  }
  const std::size_t l3 = kEthernetBytes + (tagged ? kVlanBytes : 0);
  if (ipv6) {
    set(l3, 1, 0xf0);  // version
    set(l3 + 6, 1);    // next header
  } else {
    set(l3, 1);            // version, no options
    set(l3 + 6, 1, 0x3f);  // no fragment
    set(l3 + 7, 1);
    set(l3 + 9, 1);  // protocol
  }
  return bits;
}

// By the length of the headers, in steps of the tag's.
constexpr std::size_t kShortest = kEthernetBytes + kIpv4Bytes + kUdpBytes;
constexpr auto kSignificant = [] {
  std::array<Window, (kLowerBytesMax - kShortest) / kVlanBytes + 1> bits{};
  for (const bool ipv6 : {false, true})
    for (const bool tagged : {false, true})
      bits[(ipv6 ? kIpv6Bytes - kIpv4Bytes : 0) / kVlanBytes + (tagged ? 1 : 0)] = significant_bits(ipv6, tagged);
  return bits;
}();

bool first_match(const LowerHeaders& towards, const std::byte* frame) noexcept {
  const auto load = [](const void* at) { return load_word<__m256i>(at); };
  const __m256i turned_round = _mm256_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15,  //
                                                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const Window& mask = kSignificant[(towards.length - kShortest) / kVlanBytes];
  const __m256i different =
      _mm256_xor_si256(_mm256_shuffle_epi8(load(frame), turned_round), load(towards.bytes.data()));
  return _mm256_testz_si256(different, load(&mask)) != 0;
}

// Of the headers before `ours` and `lead`, where datagrams begin, the addresses and ports, each the other way round.
bool ipv4_endpoints_match(const std::byte* ours, const std::byte* lead) noexcept {
  constexpr std::size_t kBefore = sizeof(__m128i);  // source, destination, ports; UDP's length and checksum
  const auto load = [](const std::byte* at) { return load_word<__m128i>(at - kBefore); };
  const __m128i turned_round = _mm_setr_epi8(4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, 12, 13, 14, 15);
  const __m128i compared = _mm_setr_epi32(-1, -1, -1, 0);
  return _mm_testz_si128(_mm_xor_si128(_mm_shuffle_epi8(load(lead), turned_round), load(ours)), compared) != 0;
}

bool ipv6_endpoints_match(const std::byte* ours, const std::byte* lead) noexcept {
  constexpr std::size_t kPorts = kUdpBytes, kDestination = kPorts + sizeof(__m128i),
                        kSource = kDestination + sizeof(__m128i);
  const auto address = [](const std::byte* at) { return load_word<__m128i>(at); };
  const auto ports = [](const std::byte* at) { return load_word<std::uint32_t>(at - kPorts); };
  const __m128i different = _mm_or_si128(_mm_xor_si128(address(lead - kSource), address(ours - kDestination)),
                                         _mm_xor_si128(address(lead - kDestination), address(ours - kSource)));
  return _mm_testz_si128(different, different) != 0 && ports(lead) == std::rotl(ports(ours), 16);
}

// Whether the headers before `lead` are of who `towards` goes to, and of a UDP datagram of so many bytes in an IP
// packet that the frame holds.
bool rest_matches(const LowerHeaders& towards, std::span<const std::byte> frame, const std::byte* lead,
                  std::size_t udp_length) noexcept {
  const std::byte* const ours = towards.bytes.data() + towards.length;
  const std::size_t end = towards.length - kUdpBytes;  // of the IP header
  if (towards.ipv6) {
    const std::size_t length = load_be16(lead - kUdpBytes - kIpv6Bytes + 4);
    return ipv6_endpoints_match(ours, lead) && udp_length <= length && end + length <= frame.size();
  }
  const std::byte* const ip = lead - kUdpBytes - kIpv4Bytes;
  const std::size_t length = load_be32(ip) & 0xffff;
  return ipv4_endpoints_match(ours, lead) && is_sound_ipv4_header(ip) && kIpv4Bytes + udp_length <= length &&
         end - kIpv4Bytes + length <= frame.size();
}

}  // namespace

bool recognise(const LowerHeaders& towards, std::span<const std::byte> frame, bool checksum_good,
               Datagram& out) noexcept {
  const std::byte* const lead = frame.data() + towards.length;
  const std::size_t udp_length = load_be32(lead - 4) >> 16;
  if (!first_match(towards, frame.data()) || !rest_matches(towards, frame, lead, udp_length)) return false;

  const std::uint16_t field = load_16(lead - 2);
  if (field == 0 || udp_length < kUdpBytes + kLeadBytes) return false;
  out.payload_offset = towards.length;
  out.payload_length = static_cast<std::uint16_t>(udp_length - kUdpBytes);
  const std::size_t tail_bytes = udp_length - kUdpBytes - kLeadBytes;
  // The length counts twice: in the pseudo header and in the UDP header.
  const std::uint32_t lower = std::uint32_t{towards.pseudo_sum} + field + 2U * load_16(lead - 4);
  if (!checksum_good) {
    const DatagramSums sums = sum_datagram(lead, tail_bytes);
    if (!is_all_ones(lower + sums.lead + sums.tail)) return false;
    out.tail_sum = fold(sums.tail);
  } else if (tail_bytes > 0) {
    out.tail_sum =
        checksum_of(fold(lower + sum_lead(lead)));  // see datagram.cc: what the field says of the whole, less that
  } else {
    out.tail_sum = 0;
  }
  return true;
}

}  // namespace mcplane::wire
