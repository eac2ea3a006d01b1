// Datagrams to one peer that go to the kernel as one message, a train: it takes them through its layers together and
// cuts them apart behind those (UDP_SEGMENT of udp(7), Linux 4.18). All are as long as the first; the last may be
// shorter.
#pragma once

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mcplane::client {

inline constexpr std::size_t kTrainSegmentsMax = 64;   // UDP_MAX_SEGMENTS of kernels before 6.9
inline constexpr std::size_t kTrainBytesMax = 65'000;  // one IP packet's, as the kernel counts it, less its headers

// Room for the control message that says where to cut; the caller's, until the message is sent.
struct SegmentControl {
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
};

// Has the kernel cut what `message` sends after each `segment_bytes`.
inline void cut_into(msghdr& message, SegmentControl& control, std::size_t segment_bytes) noexcept {
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  cmsghdr* const part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = IPPROTO_UDP;
  part->cmsg_type = UDP_SEGMENT;
  part->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto size = static_cast<std::uint16_t>(segment_bytes);
  std::memcpy(CMSG_DATA(part), &size, sizeof size);
}

}  // namespace mcplane::client
