// recvmmsg and sendmmsg: one system call a burst instead of one a datagram. What goes to one peer goes as a train.
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
static_assert(UdpSocket::kBurst <= kTrainSegmentsMax);

template <class Value>
bool set(int fd, int level, int option, Value value) noexcept {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// The forced forms exceed the system's limit but need CAP_NET_ADMIN.
void widen_buffers(int fd) noexcept {
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, kSocketBufferBytes)) set(fd, SOL_SOCKET, SO_RCVBUF, kSocketBufferBytes);
  if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, kSocketBufferBytes)) set(fd, SOL_SOCKET, SO_SNDBUF, kSocketBufferBytes);
}

// How many of them can go as one train.
std::size_t train_length(std::span<const Outbox::Entry> entries) noexcept {
  const Outbox::Entry& first = entries.front();
  const std::size_t cut = first.datagram.size(), most = std::min(entries.size(), kTrainBytesMax / cut);
  std::size_t length = 1;
  while (length < most && entries[length].to == first.to && entries[length].datagram.size() <= cut)
    if (entries[length++].datagram.size() < cut) break;
  return length;
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
  bool trains = trains_;
  while (sent_ < outbox.entries().size()) {
    const auto rest = outbox.entries().subspan(sent_);
    const std::size_t count = send_burst(rest.first(std::min(rest.size(), kBurst)), trains);
    sent_ += count;
    if (count > 0 || errno == EINTR) continue;
    if (errno == EAGAIN) return false;
    if (trains) {
      // One by one, so that only who is to blame is dropped. EIO: this way out cannot cut trains (before Linux 6.11
      // one whose device leaves checksums to the kernel).
      trains = false;
      trains_ = errno != EIO;
      continue;
    }
    refusal_ = errno;
    ++sent_;
  }
  outbox.clear();
  sent_ = 0;
  return true;
}

std::size_t UdpSocket::send_burst(std::span<const Outbox::Entry> entries, bool trains) noexcept {
  std::size_t messages = 0;
  for (std::size_t first = 0; first < entries.size(); ++messages) {
    const std::size_t length = trains ? train_length(entries.subspan(first)) : 1;
    for (std::size_t i = first; i < first + length; ++i)
      pieces_[i] = {entries[i].datagram.data(), entries[i].datagram.size()};
    msghdr& header = messages_[messages].msg_hdr;
    header = {};
    header.msg_name = &addresses_[messages];
    header.msg_namelen = write_address(entries[first].to, addresses_[messages]);
    header.msg_iov = &pieces_[first];
    header.msg_iovlen = length;
    if (length > 1) cut_into(header, cuts_[messages], entries[first].datagram.size());
    first += length;
  }
  const int count = sendmmsg(fd(), messages_.data(), static_cast<unsigned>(messages), 0);
  std::size_t sent = 0;
  for (int i = 0; i < count; ++i) sent += messages_[static_cast<std::size_t>(i)].msg_hdr.msg_iovlen;
  return sent;
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
