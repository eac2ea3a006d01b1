// Moves a fleet's datagrams over kernel UDP sockets, one socket an endpoint, so that each has an address of its own as
// agents on many hosts would. One thread, which waits in epoll for input or for the fleet's next time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "client/event_loop.h"
#include "client/udp_socket.h"
#include "loadgen/client_fleet.h"

namespace mcplane::loadgen {

class SocketShell {
 public:
  // Throws std::runtime_error, one line, when the system refuses that many sockets.
  SocketShell(std::size_t endpoints, const wire::Endpoint& broker);
  SocketShell(const SocketShell&) = delete;
  SocketShell& operator=(const SocketShell&) = delete;

  // For the fleet; refers to this shell. Waits while the kernel's send buffer is full, at most kSendWaitNs: then
  // throws std::runtime_error.
  Transmit transmit();

  // What drive() asks of a shell.
  std::uint64_t now_ns() const noexcept { return client::now_ns(); }
  std::span<const std::size_t> wait(std::uint64_t until_ns);
  template <class Handle>
  void receive(std::size_t endpoint, Handle handle) {
    for (const auto& received : sockets_[endpoint].receive()) handle(received.datagram, received.from);
  }

 private:
  static constexpr std::size_t kEventsMax = 256;

  void send_all(std::size_t endpoint, client::Outbox& burst);

  client::FileDescriptor epoll_;
  std::vector<client::UdpSocket> sockets_;
  std::vector<std::size_t> ready_;
};

inline constexpr std::uint64_t kSendWaitNs = kNsPerSecond;

// Of the calling thread: the default slack of 50 us would show in every latency.
void ask_for_exact_wakeups() noexcept;
// Why nobody may have answered in 5 s, one line.
std::string udp_unreachable(const wire::Endpoint& broker);

}  // namespace mcplane::loadgen
