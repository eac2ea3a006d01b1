// HTTP/1.1 through a reverse proxy, kept alive on both sides: a client has a connection for each request it may have in
// flight, as HTTP client libraries do (a proxy answers pipelined requests of one connection one by one), and a worker
// is a server with a port. What the proxies do not do here: bound what a worker holds, repeat what is lost, expire, or
// keep duplicates away.
#include <algorithm>
#include <charconv>

#include "protocol.h"
#include "stream.h"

namespace mcplane::peers {

namespace {

// Reads a head and a body of Content-Length, as both sides of a kept-alive connection send them.
class Connection : public Stream {
 public:
  using Stream::Stream;

 protected:
  virtual void on_message(std::string_view head, std::string_view body, std::uint64_t now) = 0;

 private:
  std::size_t on_input(std::string_view input, std::uint64_t now) override {
    std::size_t used = 0;
    for (;;) {
      const std::string_view rest = input.substr(used);
      const std::size_t end = rest.find("\r\n\r\n");
      if (end == std::string_view::npos) return used;
      const std::string_view head = rest.substr(0, end + 2);
      const std::size_t body_bytes = content_length(head);
      const std::size_t bytes = end + 4 + body_bytes;
      if (rest.size() < bytes) return used;
      on_message(head, rest.substr(end + 4, body_bytes), now);
      used += bytes;
    }
  }

  // Field names are of any case; HAProxy writes them in lower case.
  static std::size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "\r\ncontent-length:";
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    const auto found = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
    if (found == head.end()) throw Failure("HTTP: no Content-Length in " + std::string(head));
    std::string_view value(found + kName.size(), head.end());
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    std::size_t bytes = 0;
    std::from_chars(value.data(), value.data() + value.size(), bytes);
    return bytes;
  }
};

class Worker : public Connection {
 public:
  using Connection::Connection;

 private:
  void on_message(std::string_view, std::string_view body, std::uint64_t) override {
    write("HTTP/1.1 200 OK\r\nContent-Length: ");
    write_number(body.size());
    write("\r\n\r\n");
    write(body);
  }

  // A proxy may end a connection that it needs no more.
  void on_end() override {}
};

class Client : public Connection {
 public:
  Client(EventLoop& loop, int fd, Ledger& ledger, std::uint32_t index, std::uint32_t slot)
      : Connection(loop, fd),
        ledger_(ledger),
        index_(index),
        slot_(slot),
        head_("POST /task HTTP/1.1\r\nHost: broker\r\nContent-Length: " + std::to_string(ledger.payload_bytes()) +
              "\r\n\r\n") {}

  void send_request(std::uint64_t now) {
    write(head_);
    ledger_.begin(index_, slot_, write_space(ledger_.payload_bytes()), now);
  }

 private:
  void on_message(std::string_view head, std::string_view body, std::uint64_t now) override {
    if (!head.starts_with("HTTP/1.1 200 "))
      throw Failure("HTTP: the broker answered " + std::string(head.substr(0, head.find('\r'))));
    if (ledger_.finish(index_, body, now, slot_) && ledger_.open()) send_request(now);
  }

  Ledger& ledger_;
  std::uint32_t index_, slot_;
  std::string head_;
};

class Http : public Protocol {
 public:
  Http(EventLoop& loop, Ledger& ledger, const Options& options) {
    for (const std::uint16_t port : options.worker_ports)
      loop.make<Listener>(loop, listen_tcp(options.host, port),
                          [](EventLoop& its_loop, int fd) { its_loop.make<Worker>(its_loop, fd); });
    for (std::uint32_t i = 0; i < options.clients; ++i)
      for (std::uint32_t slot = 0; slot < options.window; ++slot)
        clients_.push_back(loop.make<Client>(loop, connect_tcp(options.host, options.port), ledger, i, slot));
  }

  // A proxy connects to workers when it needs them.
  bool ready() const override { return true; }
  void begin() override {
    for (Client* client : clients_) client->send_request(now_ns());
  }

 private:
  std::vector<Client*> clients_;
};

}  // namespace

std::unique_ptr<Protocol> make_http(EventLoop& loop, Ledger& ledger, const Options& options) {
  return std::make_unique<Http>(loop, ledger, options);
}

}  // namespace mcplane::peers
