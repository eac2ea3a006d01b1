// Sockets behind stream.h.
#include "stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

namespace mcplane::peers {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kUnreadBytesMax = 1024 * 1024;

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) throw Failure("'" + host + "' is no IPv4 address");
  return address;
}

void set_up(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
}

}  // namespace

int connect_tcp(const std::string& host, std::uint16_t port) {
  const sockaddr_in address = address_of(host, port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("connection to " + host + ":" + std::to_string(port));
  set_up(fd);
  return fd;
}

int listen_tcp(const std::string& host, std::uint16_t port) {
  const sockaddr_in address = address_of(host, port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd, 4096) != 0)
    fail("port " + std::to_string(port));
  return fd;
}

void Stream::on_readable(std::uint64_t now) {
  static std::vector<char> buffer(kUnreadBytesMax + kReadBytes);
  if (closed_) return;
  std::memcpy(buffer.data(), unread_.data(), unread_.size());
  const ssize_t count = recv(fd(), buffer.data() + unread_.size(), kReadBytes, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    closed_ = true;
    return on_end();
  }
  const std::string_view input(buffer.data(), unread_.size() + static_cast<std::size_t>(count));
  const std::size_t used = on_input(input, now);
  unread_.assign(input.substr(used));
  if (unread_.size() > kUnreadBytesMax) throw Failure("the broker sent a message larger than any that was asked for");
}

void Stream::on_end() { throw Failure("the broker closed a connection"); }

void Stream::write(std::string_view bytes) {
  loop_.will_flush(*this);
  output_ += bytes;
}

void Stream::write_number(std::uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  write(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

std::span<char> Stream::write_space(std::size_t bytes) {
  loop_.will_flush(*this);
  output_.resize(output_.size() + bytes);
  return {output_.data() + output_.size() - bytes, bytes};
}

bool Stream::flush() {
  while (written_ < output_.size()) {
    const ssize_t count = send(fd(), output_.data() + written_, output_.size() - written_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return false;
    if (count < 0) {
      closed_ = true;
      on_end();
      return true;
    }
    written_ += static_cast<std::size_t>(count);
  }
  output_.clear();
  written_ = 0;
  return true;
}

void Listener::on_readable(std::uint64_t) {
  const int connection = accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC);
  if (connection < 0) return;
  set_up(connection);
  accept_(loop_, connection);
}

}  // namespace mcplane::peers
