// NATS core request-reply: workers share a queue group, clients listen on one wildcard inbox each, as NATS libraries
// do. The inbox's last token names the slot. What NATS core does not do here: pick the least busy worker (it draws
// one), bound what a worker holds, repeat what is lost, expire, or keep duplicates away.
#include <algorithm>
#include <charconv>

#include "protocol.h"
#include "stream.h"

namespace mcplane::peers {

namespace {

constexpr std::string_view kConnect =
    R"(CONNECT {"verbose":false,"pedantic":false,"lang":"c++","version":"1","protocol":1,"headers":false})"
    "\r\n";
constexpr std::string_view kInbox = "_INBOX.";

std::string_view next_word(std::string_view& text) {
  const std::size_t end = text.find(' ');
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

std::uint32_t number_of(std::string_view digits) {
  std::uint32_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size())
    throw Failure("NATS: '" + std::string(digits) + "' is no number");
  return value;
}

// Speaks the text protocol: INFO, CONNECT, SUB, PING, PONG, MSG, PUB.
class Connection : public Stream {
 public:
  Connection(EventLoop& loop, int fd, std::string subscription) : Stream(loop, fd), subscription_(subscription) {}

  bool ready() const { return ready_; }

 protected:
  // `reply` is empty unless the sender wants an answer.
  virtual void on_message(std::string_view subject, std::string_view reply, std::string_view payload,
                          std::uint64_t now) = 0;

 private:
  std::size_t on_input(std::string_view input, std::uint64_t now) override {
    std::size_t used = 0;
    for (;;) {
      const std::string_view rest = input.substr(used);
      const std::size_t end = rest.find("\r\n");
      if (end == std::string_view::npos) return used;
      const std::string_view line = rest.substr(0, end);
      std::size_t message_bytes = end + 2;
      if (line.starts_with("MSG ")) {
        const std::size_t payload_bytes = number_of(line.substr(line.rfind(' ') + 1));
        message_bytes += payload_bytes + 2;
        if (rest.size() < message_bytes) return used;
        take_message(line.substr(4), rest.substr(end + 2, payload_bytes), now);
      } else {
        take_line(line);
      }
      used += message_bytes;
    }
  }

  void take_message(std::string_view head, std::string_view payload, std::uint64_t now) {
    const std::string_view subject = next_word(head);
    next_word(head);
    const std::string_view reply = next_word(head);
    on_message(subject, head.empty() ? std::string_view() : reply, payload, now);
  }

  void take_line(std::string_view line) {
    if (line.starts_with("INFO ")) {
      write(kConnect);
      write(subscription_);
      write("PING\r\n");
    } else if (line == "PING") {
      write("PONG\r\n");
    } else if (line == "PONG") {
      ready_ = true;
    } else if (line.starts_with("-ERR")) {
      throw Failure("NATS: " + std::string(line));
    }
  }

  std::string subscription_;
  bool ready_ = false;
};

class Worker : public Connection {
 public:
  Worker(EventLoop& loop, int fd) : Connection(loop, fd, "SUB task workers 1\r\n") {}

 private:
  void on_message(std::string_view, std::string_view reply, std::string_view payload, std::uint64_t) override {
    write("PUB ");
    write(reply);
    write(" ");
    write_number(payload.size());
    write("\r\n");
    write(payload);
    write("\r\n");
  }
};

class Client : public Connection {
 public:
  Client(EventLoop& loop, int fd, Ledger& ledger, std::uint32_t index)
      : Connection(loop, fd, "SUB " + inbox_of(index) + "* 1\r\n"),
        ledger_(ledger),
        index_(index),
        head_("PUB task " + inbox_of(index)),
        tail_(" " + std::to_string(ledger.payload_bytes()) + "\r\n") {}

  void send_request(std::uint32_t slot, std::uint64_t now) {
    write(head_);
    write_number(slot);
    write(tail_);
    ledger_.begin(index_, slot, write_space(ledger_.payload_bytes()), now);
    write("\r\n");
  }

 private:
  static std::string inbox_of(std::uint32_t index) { return std::string(kInbox) + std::to_string(index) + "."; }

  void on_message(std::string_view subject, std::string_view, std::string_view payload, std::uint64_t now) override {
    const std::uint32_t addressed = number_of(subject.substr(subject.rfind('.') + 1));
    const auto slot = ledger_.finish(index_, payload, now, addressed);
    if (slot && ledger_.open()) send_request(*slot, now);
  }

  Ledger& ledger_;
  std::uint32_t index_;
  std::string head_, tail_;
};

class Nats : public Protocol {
 public:
  Nats(EventLoop& loop, Ledger& ledger, const Options& options) : ledger_(ledger) {
    for (std::uint32_t i = 0; i < options.workers; ++i)
      workers_.push_back(loop.make<Worker>(loop, connect_tcp(options.host, options.port)));
    for (std::uint32_t i = 0; i < options.clients; ++i)
      clients_.push_back(loop.make<Client>(loop, connect_tcp(options.host, options.port), ledger, i));
  }

  bool ready() const override {
    const auto all = [](const auto& connections) {
      return std::ranges::all_of(connections, [](const Connection* c) { return c->ready(); });
    };
    return all(workers_) && all(clients_);
  }

  void begin() override {
    for (Client* client : clients_)
      for (std::uint32_t slot = 0; slot < ledger_.window(); ++slot) client->send_request(slot, now_ns());
  }

 private:
  Ledger& ledger_;
  std::vector<Worker*> workers_;
  std::vector<Client*> clients_;
};

}  // namespace

std::unique_ptr<Protocol> make_nats(EventLoop& loop, Ledger& ledger, const Options& options) {
  return std::make_unique<Nats>(loop, ledger, options);
}

}  // namespace mcplane::peers
