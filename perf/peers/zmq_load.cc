// DEALER clients and workers of the ZeroMQ broker next door (zmq_broker.cc), speaking ZMTP 3.0 over plain TCP: libzmq's
// own sockets would bring an I/O thread to the load's CPU, and the broker, which does use libzmq, is what is measured.
// A client's message is its payload; a worker gets [client id, payload] and answers the same two frames.
#include <algorithm>

#include "protocol.h"
#include "stream.h"

namespace mcplane::peers {

namespace {

constexpr std::size_t kGreetingBytes = 64;
constexpr std::uint8_t kMore = 1, kLong = 2, kCommand = 4;

// ZMTP 3.0: signature, version, mechanism NULL padded to 20 bytes, as-server, filler.
std::string greeting() {
  std::string text("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);
  text.resize(kGreetingBytes);
  return text;
}

// READY with Socket-Type DEALER, in a short command frame.
std::string ready_command() {
  std::string body("\5READY\13Socket-Type\0\0\0\6DEALER", 28);
  body.insert(0, {static_cast<char>(kCommand), static_cast<char>(body.size())});
  return body;
}

struct Frame {
  std::uint8_t flags = 0;
  std::string_view body;
  std::size_t bytes = 0;  // with its head; 0 while it is incomplete
};

Frame frame_at(std::string_view input) {
  if (input.size() < 2) return {};
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(input[i]); };
  const std::uint8_t flags = byte(0);
  std::size_t head = 2, size = byte(1);
  if (flags & kLong) {
    head = 9;
    if (input.size() < head) return {};
    size = 0;
    for (std::size_t i = 1; i < head; ++i) size = size << 8 | byte(i);
  }
  if (input.size() - head < size) return {};
  return {flags, input.substr(head, size), head + size};
}

class Connection : public Stream {
 public:
  Connection(EventLoop& loop, int fd) : Stream(loop, fd) {
    write(greeting());
    write(ready_command());
  }

  bool ready() const { return ready_; }

 protected:
  virtual void on_frame(std::string_view body, bool more, std::uint64_t now) = 0;
  virtual void on_ready() {}

  // The head of a frame; its body must follow.
  void start_frame(std::size_t bytes, bool more) {
    const bool is_long = bytes > 255;
    const std::span<char> head = write_space(is_long ? 9 : 2);
    head[0] = static_cast<char>((is_long ? kLong : 0) | (more ? kMore : 0));
    for (std::size_t i = head.size() - 1; i > 0; --i, bytes >>= 8) head[i] = static_cast<char>(bytes);
  }
  void write_frame(std::string_view body, bool more) {
    start_frame(body.size(), more);
    write(body);
  }

 private:
  std::size_t on_input(std::string_view input, std::uint64_t now) override {
    std::size_t used = 0;
    if (!greeted_) {
      if (input.size() < kGreetingBytes) return 0;
      greeted_ = true;
      used = kGreetingBytes;
    }
    for (;;) {
      const Frame frame = frame_at(input.substr(used));
      if (frame.bytes == 0) return used;
      used += frame.bytes;
      if (frame.flags & kCommand) {
        take_command(frame.body);
      } else {
        on_frame(frame.body, frame.flags & kMore, now);
      }
    }
  }

  void take_command(std::string_view body) {
    if (body.starts_with("\5ERROR")) throw Failure("ZeroMQ: the broker refused a connection");
    if (!body.starts_with("\5READY")) return;
    ready_ = true;
    on_ready();
  }

  bool greeted_ = false, ready_ = false;
};

class Worker : public Connection {
 public:
  Worker(EventLoop& loop, int fd, std::uint32_t slots) : Connection(loop, fd), slots_(slots) {}

 private:
  void on_ready() override { write_frame(std::to_string(slots_), false); }

  void on_frame(std::string_view body, bool more, std::uint64_t) override { write_frame(body, more); }

  std::uint32_t slots_;
};

class Client : public Connection {
 public:
  Client(EventLoop& loop, int fd, Ledger& ledger, std::uint32_t index)
      : Connection(loop, fd), ledger_(ledger), index_(index) {}

  void send_request(std::uint32_t slot, std::uint64_t now) {
    start_frame(ledger_.payload_bytes(), false);
    ledger_.begin(index_, slot, write_space(ledger_.payload_bytes()), now);
  }

 private:
  void on_frame(std::string_view body, bool, std::uint64_t now) override {
    const auto slot = ledger_.finish(index_, body, now);
    if (slot && ledger_.open()) send_request(*slot, now);
  }

  Ledger& ledger_;
  std::uint32_t index_;
};

class Zmq : public Protocol {
 public:
  Zmq(EventLoop& loop, Ledger& ledger, const Options& options) : ledger_(ledger) {
    for (std::uint32_t i = 0; i < options.workers; ++i)
      all_.push_back(loop.make<Worker>(loop, connect_tcp(options.host, options.backend_port), options.slots));
    for (std::uint32_t i = 0; i < options.clients; ++i) {
      clients_.push_back(loop.make<Client>(loop, connect_tcp(options.host, options.port), ledger, i));
      all_.push_back(clients_.back());
    }
  }

  bool ready() const override {
    return std::ranges::all_of(all_, [](const Connection* connection) { return connection->ready(); });
  }

  void begin() override {
    for (Client* client : clients_)
      for (std::uint32_t slot = 0; slot < ledger_.window(); ++slot) client->send_request(slot, now_ns());
  }

 private:
  Ledger& ledger_;
  std::vector<Connection*> all_;
  std::vector<Client*> clients_;
};

}  // namespace

std::unique_ptr<Protocol> make_zmq(EventLoop& loop, Ledger& ledger, const Options& options) {
  return std::make_unique<Zmq>(loop, ledger, options);
}

}  // namespace mcplane::peers
