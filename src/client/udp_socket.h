// A kernel UDP socket for datagrams in bursts: unconnected, since a RESULT goes to wherever its ROUTE came from, with
// DF set, since the protocol has no use for IP fragments. Owned by one thread; never blocks.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "client/datagram_train.h"
#include "client/event_loop.h"
#include "client/outbox.h"
#include "wire/address.h"

namespace mcplane::client {

class UdpSocket {
 public:
  static constexpr std::size_t kBurst = 64;

  struct Received {
    std::span<const std::byte> datagram;  // starts 2 mod 4, as the header's alignment needs
    wire::Endpoint from;
  };

  // Of the family of `peer`. Throws std::runtime_error.
  explicit UdpSocket(const wire::Endpoint& peer);

  int fd() const noexcept { return fd_.get(); }
  // At most kBurst datagrams, valid until the next call; empty when none waits. Those longer than
  // Outbox::kDatagramBytesMax are dropped.
  std::span<const Received> receive() noexcept;
  // Sends the outbox and clears it. False: the send buffer is full; call again when there is room, until then the
  // outbox only grows. A datagram that the kernel refuses is dropped, as if the network had lost it.
  bool send(Outbox& outbox) noexcept;
  // errno of the last refused datagram; 0 when none was.
  int refusal() const noexcept { return refusal_; }

 private:
  // Returns the number of entries that left; 0: errno says why.
  std::size_t send_burst(std::span<const Outbox::Entry> entries, bool trains) noexcept;
  socklen_t write_address(const wire::Endpoint& endpoint, sockaddr_storage& address) const noexcept;

  bool ipv6_;
  FileDescriptor fd_;
  int refusal_ = 0;
  bool trains_ = true;    // until one was refused for good
  std::size_t sent_ = 0;  // entries of the outbox that have left
  std::unique_ptr<std::byte[]> storage_;
  std::vector<Received> received_;
  std::array<mmsghdr, kBurst> messages_{};
  std::array<iovec, kBurst> pieces_{};
  std::array<sockaddr_storage, kBurst> addresses_{};
  std::array<SegmentControl, kBurst> cuts_{};
};

}  // namespace mcplane::client
