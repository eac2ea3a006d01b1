// NATS core request-reply: workers share a queue group, clients listen on one wildcard inbox each, as NATS libraries
// do. The inbox's last token names the slot. What NATS core does not do here: pick the least busy worker (it draws
// one), bound what a worker holds, repeat what is lost, expire, or keep duplicates away.
#include <algorithm>

#include "nats_connection.h"
#include "protocol.h"

namespace mcplane::peers {

namespace {

constexpr std::string_view kInbox = "_INBOX.";

class Worker : public NatsConnection {
 public:
  Worker(EventLoop& loop, int fd) : NatsConnection(loop, fd, "SUB task workers 1\r\n") {}

 private:
  void on_message(const Message& request, std::uint64_t) override {
    write("PUB ");
    write(request.reply);
    write(" ");
    write_number(request.payload.size());
    write("\r\n");
    write(request.payload);
    write("\r\n");
  }
};

class Client : public NatsConnection {
 public:
  Client(EventLoop& loop, int fd, Ledger& ledger, std::uint32_t index)
      : NatsConnection(loop, fd, "SUB " + inbox_of(index) + "* 1\r\n"),
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

  void on_message(const Message& answer, std::uint64_t now) override {
    const std::uint32_t addressed = nats_number(answer.subject.substr(answer.subject.rfind('.') + 1));
    const auto slot = ledger_.finish(index_, answer.payload, now, addressed);
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
      return std::ranges::all_of(connections, [](const NatsConnection* c) { return c->ready(); });
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
