// System calls behind datagram.h.
#include "datagram.h"

#include <arpa/inet.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "event_loop.h"

namespace mcplane::peers {

namespace {

// Every request in flight has room in any one socket's buffer, or the kernel would drop some.
constexpr int kSocketBufferBytes = 32 * 1024 * 1024;

void set_buffer(int fd, int forced, int allowed) {
  if (setsockopt(fd, SOL_SOCKET, forced, &kSocketBufferBytes, sizeof kSocketBufferBytes) != 0)
    setsockopt(fd, SOL_SOCKET, allowed, &kSocketBufferBytes, sizeof kSocketBufferBytes);
}

std::size_t segment_of(msghdr& message, std::size_t bytes) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_UDP || part->cmsg_type != UDP_GRO) continue;
    int segment = 0;
    std::memcpy(&segment, CMSG_DATA(part), sizeof segment);
    return static_cast<std::size_t>(segment);
  }
  return bytes;
}

}  // namespace

int udp_socket(std::uint16_t port, int type_flags) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | type_flags, 0);
  if (fd < 0) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("UDP port " + std::to_string(port));
  const int on = 1;
  if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) fail("UDP_GRO");
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  return fd;
}

TrainReader::TrainReader(std::size_t trains_max)
    : buffers_(trains_max * kTrainBufferBytes),
      controls_(trains_max),
      addresses_(trains_max),
      parts_(trains_max),
      messages_(trains_max) {
  trains_.reserve(trains_max);
  for (std::size_t i = 0; i < trains_max; ++i) {
    parts_[i] = {&buffers_[i * kTrainBufferBytes], kTrainBufferBytes};
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_name = &addresses_[i];
    messages_[i].msg_hdr.msg_control = controls_[i].data();
  }
}

std::span<const Train> TrainReader::read(int fd, std::size_t limit) {
  trains_.clear();
  limit = std::min(limit, messages_.size());
  for (std::size_t i = 0; i < limit; ++i) {
    messages_[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
    messages_[i].msg_hdr.msg_controllen = sizeof(Control);
  }
  const int count = recvmmsg(fd, messages_.data(), static_cast<unsigned>(limit), MSG_WAITFORONE, nullptr);
  if (count < 0 && errno != EAGAIN && errno != EINTR) fail("recvmmsg");
  for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
    const std::size_t bytes = messages_[i].msg_len;
    trains_.push_back(
        {{&buffers_[i * kTrainBufferBytes], bytes}, segment_of(messages_[i].msg_hdr, bytes), addresses_[i]});
  }
  return trains_;
}

}  // namespace mcplane::peers
