// Every byte of a sound frame of any type, family and tag, edited: what a checksum covers is refused, and with the
// checksums made right again nothing behind it may crash, or read or answer beyond its bytes.
#include <rapidcheck.h>

#include <algorithm>

#include "property/wire_properties.h"
#include "support/frame_builder.h"
#include "support/wire_inspection.h"
#include "wire/layout.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

// Bytes whose edit a receiver can notice: from the IP header on, without IPv6's traffic class, flow label and hop
// limit.
bool is_covered(std::size_t at, const Datagram& sound) {
  if (at < sound.l3_offset) return false;
  const std::size_t in_ip = at - sound.l3_offset;
  return sound.destination.is_v4() || in_ip >= 8 || (in_ip >= 4 && in_ip != 7);
}

void edit_every_byte(const Bytes& frame, const Datagram& sound, std::byte flip) {
  const std::size_t checksum = sound.udp_offset + std::size_t{6};
  for (std::size_t at = 0; at < frame.size(); ++at) {
    Bytes edited = frame;
    edited[at] ^= flip;
    const testing::Parsed parsed = testing::parse(edited);
    const bool unchecked = load_be16(edited.data() + checksum) == 0 && sound.destination.is_v4();
    if (is_covered(at, sound) && !unchecked) RC_ASSERT(parsed.lower.frame_class == FrameClass::kDrop);
    testing::refresh_checksums(edited);
    testing::inspect_frame(edited);
  }
}

void edits_of_any_frame() {
  const auto types = testing::all_types();
  const auto type = types[*rc::gen::inRange<std::size_t>(0, types.size())];
  const auto family = *rc::gen::element(Family::kIpv4, Family::kIpv6);
  const auto vlan = *rc::gen::element(kNoVlan, std::uint16_t{5});
  const auto flip = static_cast<std::byte>(*rc::gen::inRange(1, 256));
  const Bytes frame = build_frame(testing::sample_spec(type, family, vlan));
  const testing::Parsed sound = testing::parse(frame);
  RC_ASSERT(sound.lower.frame_class == FrameClass::kUdp);
  edit_every_byte(frame, sound.lower, flip);
}

void edits_of_control_frames() {
  const auto flip = static_cast<std::byte>(*rc::gen::inRange(1, 256));
  for (const Bytes& frame : {testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip),
                             testing::build_icmp_echo(Family::kIpv4, 9, 3), testing::build_icmp_echo(Family::kIpv6, 9),
                             testing::build_neighbour_solicitation(testing::our_endpoint(Family::kIpv6).ip)})
    for (std::size_t at = 0; at < frame.size(); ++at) {
      Bytes edited = frame;
      edited[at] ^= flip;
      testing::inspect_frame(edited);
      testing::refresh_checksums(edited);
      testing::inspect_frame(edited);
    }
}

}  // namespace

bool check_edits() {
  bool ok = rc::check("an edited frame is refused or harmless", edits_of_any_frame);
  ok &= rc::check("an edited control frame is harmless", edits_of_control_frames);
  return ok;
}

}  // namespace mcplane::wire
