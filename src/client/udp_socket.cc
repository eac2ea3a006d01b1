// recvmmsg and sendmmsg: one system call a burst instead of one a datagram.
#include "client/udp_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace mcplane::client {

namespace {

constexpr int kSocketBufferBytes = 4 << 20;
constexpr std::size_t kLead = 2;
// One byte more than a datagram may have, so that longer ones show.
constexpr std::size_t kRoom = Outbox::kDatagramBytesMax + 1;
constexpr std::size_t kPieceBytes = (kLead + kRoom + 15) / 16 * 16;

template <class Value>
bool set(int fd, int level, int option, Value value) noexcept {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// The forced forms exceed the system's limit but need CAP_NET_ADMIN.
void widen_buffers(int fd) noexcept {
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, kSocketBufferBytes)) set(fd, SOL_SOCKET, SO_RCVBUF, kSocketBufferBytes);
  if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, kSocketBufferBytes)) set(fd, SOL_SOCKET, SO_SNDBUF, kSocketBufferBytes);
}

// DF on every packet, whatever the kernel believes of the path: HELLO is what probes it.
bool forbid_fragments(int fd, bool ipv6) noexcept {
  if (!ipv6) return set(fd, IPPROTO_IP, IP_MTU_DISCOVER, int{IP_PMTUDISC_PROBE});
  return set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, int{IPV6_PMTUDISC_PROBE}) &&
         set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, int{1});
}

wire::Endpoint read_address(const sockaddr_storage& storage) noexcept {
  wire::Endpoint endpoint;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 address;
    std::memcpy(&address, &storage, sizeof address);
    std::memcpy(endpoint.ip.bytes.data(), &address.sin6_addr, endpoint.ip.bytes.size());
    endpoint.port = ntohs(address.sin6_port);
    return endpoint;
  }
  sockaddr_in address;
  std::memcpy(&address, &storage, sizeof address);
  std::array<std::uint8_t, 4> octets;
  std::memcpy(octets.data(), &address.sin_addr, octets.size());
  return {wire::IpAddress::v4(octets), ntohs(address.sin_port)};
}

}  // namespace

UdpSocket::UdpSocket(const wire::Endpoint& peer)
    : ipv6_(!peer.ip.is_v4()),
      fd_(::socket(ipv6_ ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      storage_(std::make_unique_for_overwrite<std::byte[]>(kBurst * kPieceBytes)) {
  if (fd() < 0 || !forbid_fragments(fd(), ipv6_))
    throw std::runtime_error(std::string("cannot open a UDP socket: ") + std::strerror(errno));
  widen_buffers(fd());
  received_.reserve(kBurst);
}

std::span<const UdpSocket::Received> UdpSocket::receive() noexcept {
  received_.clear();
  for (std::size_t i = 0; i < kBurst; ++i) {
    pieces_[i] = {storage_.get() + i * kPieceBytes + kLead, kRoom};
    messages_[i].msg_hdr = {};
    messages_[i].msg_hdr.msg_name = &addresses_[i];
    messages_[i].msg_hdr.msg_namelen = sizeof addresses_[i];
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = recvmmsg(fd(), messages_.data(), kBurst, 0, nullptr);
  for (std::size_t i = 0; static_cast<int>(i) < count; ++i) {
    const std::size_t length = messages_[i].msg_len;
    if (length > Outbox::kDatagramBytesMax) continue;
    received_.push_back({{static_cast<const std::byte*>(pieces_[i].iov_base), length}, read_address(addresses_[i])});
  }
  return received_;
}

bool UdpSocket::send(Outbox& outbox) noexcept {
  while (sent_ < outbox.entries().size()) {
    const auto rest = outbox.entries().subspan(sent_);
    const std::size_t count = send_burst(rest.first(std::min(rest.size(), kBurst)));
    sent_ += count;
    if (count > 0 || errno == EINTR) continue;
    if (errno == EAGAIN) return false;
    refusal_ = errno;
    ++sent_;
  }
  outbox.clear();
  sent_ = 0;
  return true;
}

std::size_t UdpSocket::send_burst(std::span<const Outbox::Entry> entries) noexcept {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    pieces_[i] = {entries[i].datagram.data(), entries[i].datagram.size()};
    messages_[i].msg_hdr = {};
    messages_[i].msg_hdr.msg_name = &addresses_[i];
    messages_[i].msg_hdr.msg_namelen = write_address(entries[i].to, addresses_[i]);
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = sendmmsg(fd(), messages_.data(), static_cast<unsigned>(entries.size()), 0);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

socklen_t UdpSocket::write_address(const wire::Endpoint& endpoint, sockaddr_storage& storage) const noexcept {
  if (ipv6_) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    std::memcpy(&address.sin6_addr, endpoint.ip.bytes.data(), endpoint.ip.bytes.size());
    std::memcpy(&storage, &address, sizeof address);
    return sizeof address;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  std::memcpy(&address.sin_addr, endpoint.ip.bytes.data() + 12, sizeof address.sin_addr);
  std::memcpy(&storage, &address, sizeof address);
  return sizeof address;
}

}  // namespace mcplane::client
