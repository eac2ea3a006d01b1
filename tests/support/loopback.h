// Sockets of a test or a measurement on 127.0.0.1, at a port that the kernel picks.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

namespace mcplane::test {

// Binds a socket of IPv4. Returns its port; 0: the kernel refused.
inline std::uint16_t bind_to_loopback(int socket) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  if (bind(socket, any, length) != 0 || getsockname(socket, any, &length) != 0) return 0;
  return ntohs(address.sin_port);
}

}  // namespace mcplane::test
