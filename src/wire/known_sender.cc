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
constexpr std::size_t kIpv4Addresses = 12, kIpv6Addresses = 8;  // in the IP header

struct alignas(kWindow) Window {
  std::array<std::byte, kWindow> bytes{};
};

// Of a frame's first bytes, turned round, the bits that must not vary. Where its IP addresses begin, others take over.
constexpr Window significant_bits(bool ipv6, bool tagged) {
  Window bits;
  const auto set = [&bits](std::size_t at, std::size_t count, std::uint8_t value = 0xff) {
    for (std::size_t i = 0; i < count; ++i) bits.bytes[at + i] = std::byte{value};
  };
  set(6, 6);   // our MAC; where the sender's is now egress knows
  set(12, 2);  // EtherType
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

// By family and tag.
constexpr std::array<std::array<Window, 2>, 2> kSignificant = {
    {{significant_bits(false, false), significant_bits(false, true)},
     {significant_bits(true, false), significant_bits(true, true)}}};

bool first_match(const LowerHeaders& towards, const std::byte* frame) noexcept {
  const auto load = [](const void* at) { return load_word<__m256i>(at); };
  const __m256i turned_round = _mm256_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15,  //
                                                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const Window& mask = kSignificant[towards.ipv6 ? 1 : 0][towards.l3_offset != kEthernetBytes ? 1 : 0];
  const __m256i different =
      _mm256_xor_si256(_mm256_shuffle_epi8(load(frame), turned_round), load(towards.bytes.data()));
  constexpr std::byte kGroup{1};
  return _mm256_testz_si256(different, load(&mask)) != 0 && (frame[6] & kGroup) == std::byte{0};
}

// Addresses and ports, each the other way round.
bool endpoints_match(const LowerHeaders& towards, const std::byte* frame) noexcept {
  const std::byte* const theirs = frame + towards.l3_offset;
  const std::byte* const ours = towards.bytes.data() + towards.l3_offset;
  const auto ports = [](const std::byte* at) { return load_word<std::uint32_t>(at); };
  if (!towards.ipv6) {
    const auto addresses = [](const std::byte* ip) { return load_word<std::uint64_t>(ip + kIpv4Addresses); };
    return addresses(theirs) == std::rotl(addresses(ours), 32) &&
           ports(theirs + kIpv4Bytes) == std::rotl(ports(ours + kIpv4Bytes), 16);
  }
  constexpr std::size_t kSource = kIpv6Addresses, kDestination = kSource + sizeof(__m128i);
  const auto address = [](const std::byte* at) { return load_word<__m128i>(at); };
  const __m128i different = _mm_or_si128(_mm_xor_si128(address(theirs + kSource), address(ours + kDestination)),
                                         _mm_xor_si128(address(theirs + kDestination), address(ours + kSource)));
  return _mm_testz_si128(different, different) != 0 &&
         ports(theirs + kIpv6Bytes) == std::rotl(ports(ours + kIpv6Bytes), 16);
}

// Bytes of the IP packet behind its header; negative when it does not fit the frame, or its checksum is wrong.
std::ptrdiff_t ip_payload_bytes(const LowerHeaders& towards, std::span<const std::byte> frame) noexcept {
  const std::byte* const ip = frame.data() + towards.l3_offset;
  const auto room = static_cast<std::ptrdiff_t>(frame.size() - towards.l3_offset);
  if (towards.ipv6) {
    const std::ptrdiff_t length = load_be16(ip + 4);
    return length <= room - static_cast<std::ptrdiff_t>(kIpv6Bytes) ? length : -1;
  }
  if (sum_ipv4_header(ip) != 0xffff) return -1;
  const std::ptrdiff_t length = load_be16(ip + 2);
  return length <= room ? length - static_cast<std::ptrdiff_t>(kIpv4Bytes) : -1;
}

}  // namespace

bool recognise(const LowerHeaders& towards, std::span<const std::byte> frame, bool checksum_good,
               Datagram& out) noexcept {
  if (!first_match(towards, frame.data()) || !endpoints_match(towards, frame.data())) return false;
  const std::byte* const lead = frame.data() + towards.length;
  const std::uint16_t udp_length = load_be16(lead - 4);
  const std::ptrdiff_t tail_bytes = std::ptrdiff_t{udp_length} - static_cast<std::ptrdiff_t>(kUdpBytes + kLeadBytes);
  if (udp_length > ip_payload_bytes(towards, frame) || tail_bytes < 0) return false;

  const auto field = load_word<std::uint16_t>(lead - 2);
  if (field == 0) return false;
  // The length counts twice: in the pseudo header and in the UDP header.
  const std::uint32_t lower =
      std::uint32_t{__builtin_bswap16(towards.pseudo_sum)} + field + 2U * __builtin_bswap16(udp_length);
  std::uint16_t tail = 0;
  if (!checksum_good) {
    const DatagramSums sums = sum_datagram(lead, static_cast<std::size_t>(tail_bytes));
    if (fold(lower + sums.lead + sums.tail) != 0xffff) return false;
    tail = fold(sums.tail);
  } else if (tail_bytes > 0) {
    tail = checksum_of(fold(lower + sum_lead(lead)));  // see datagram.cc: what the field says of the whole, less that
  }
  out.payload_offset = towards.length;
  out.payload_length = static_cast<std::uint16_t>(udp_length - kUdpBytes);
  out.tail_sum = __builtin_bswap16(tail);
  return true;
}

}  // namespace mcplane::wire
