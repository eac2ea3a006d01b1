// Clients and workers of the UDP baseline (udp_broker.cc), a socket each, sending and receiving in trains.
#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "datagram.h"
#include "protocol.h"

namespace mcplane::peers {

namespace {

constexpr std::size_t kTrainsMax = 16;

class Endpoint : public Source {
 public:
  Endpoint(EventLoop& loop, TrainReader& reader, std::uint16_t broker_port, std::size_t payload_bytes)
      : Source(udp_socket(0, SOCK_NONBLOCK)),
        loop_(loop),
        reader_(reader),
        datagram_bytes_(sizeof(Head) + payload_bytes) {
    sockaddr_in broker{};
    broker.sin_family = AF_INET;
    broker.sin_port = htons(broker_port);
    broker.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd(), reinterpret_cast<const sockaddr*>(&broker), sizeof broker) != 0) fail("UDP connect");
  }

  bool flush() override {
    while (written_ < output_.size()) {
      const std::size_t train = std::min(kTrainSegmentsMax, kTrainBytesMax / datagram_bytes_) * datagram_bytes_;
      iovec part{output_.data() + written_, std::min(train, output_.size() - written_)};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      SegmentControl control{};
      if (part.iov_len > datagram_bytes_) cut_into(message, control, datagram_bytes_);
      const ssize_t count = sendmsg(fd(), &message, 0);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return false;
      if (count < 0) fail("the UDP broker is gone");
      written_ += static_cast<std::size_t>(count);
    }
    output_.clear();
    written_ = 0;
    return true;
  }

 protected:
  virtual void on_datagram(Head head, std::string_view payload, std::uint64_t now) = 0;

  // Room for the payload of a datagram of full size.
  std::span<char> start_datagram(Head head) {
    loop_.will_flush(*this);
    output_.resize(output_.size() + datagram_bytes_);
    char* const start = output_.data() + output_.size() - datagram_bytes_;
    std::memcpy(start, &head, sizeof head);
    return {start + sizeof head, datagram_bytes_ - sizeof head};
  }

 private:
  void on_readable(std::uint64_t now) override {
    for (const Train& train : reader_.read(fd(), kTrainsMax))
      for (std::size_t at = 0; at + sizeof(Head) <= train.bytes.size(); at += train.segment_bytes) {
        const std::size_t bytes = std::min(train.segment_bytes, train.bytes.size() - at);
        Head head;
        std::memcpy(&head, &train.bytes[at], sizeof head);
        on_datagram(head, {&train.bytes[at] + sizeof head, bytes - sizeof head}, now);
      }
  }

  EventLoop& loop_;
  TrainReader& reader_;
  std::size_t datagram_bytes_;
  std::vector<char> output_;
  std::size_t written_ = 0;
};

class Worker : public Endpoint {
 public:
  Worker(EventLoop& loop, TrainReader& reader, std::uint16_t broker_port, std::size_t payload_bytes)
      : Endpoint(loop, reader, broker_port, payload_bytes) {
    start_datagram({Kind::kRegister, 0});
  }

  bool ready() const { return ready_; }

 private:
  void on_datagram(Head head, std::string_view payload, std::uint64_t) override {
    if (head.kind == Kind::kRegister) {
      ready_ = true;
      return;
    }
    const std::span<char> answer = start_datagram({Kind::kAnswer, head.client});
    std::memcpy(answer.data(), payload.data(), std::min(answer.size(), payload.size()));
  }

  bool ready_ = false;
};

class Client : public Endpoint {
 public:
  Client(EventLoop& loop, TrainReader& reader, std::uint16_t broker_port, Ledger& ledger, std::uint32_t index)
      : Endpoint(loop, reader, broker_port, ledger.payload_bytes()), ledger_(ledger), index_(index) {}

  void send_request(std::uint32_t slot, std::uint64_t now) {
    ledger_.begin(index_, slot, start_datagram({Kind::kRequest, 0}), now);
  }

 private:
  void on_datagram(Head, std::string_view payload, std::uint64_t now) override {
    const auto slot = ledger_.finish(index_, payload, now);
    if (slot && ledger_.open()) send_request(*slot, now);
  }

  Ledger& ledger_;
  std::uint32_t index_;
};

class Udp : public Protocol {
 public:
  Udp(EventLoop& loop, Ledger& ledger, const Options& options) : ledger_(ledger), reader_(kTrainsMax) {
    for (std::uint32_t i = 0; i < options.workers; ++i)
      workers_.push_back(loop.make<Worker>(loop, reader_, options.port, options.payload_bytes));
    for (std::uint32_t i = 0; i < options.clients; ++i)
      clients_.push_back(loop.make<Client>(loop, reader_, options.port, ledger, i));
  }

  bool ready() const override {
    return std::ranges::all_of(workers_, [](const Worker* worker) { return worker->ready(); });
  }

  void begin() override {
    for (Client* client : clients_)
      for (std::uint32_t slot = 0; slot < ledger_.window(); ++slot) client->send_request(slot, now_ns());
  }

 private:
  Ledger& ledger_;
  TrainReader reader_;
  std::vector<Worker*> workers_;
  std::vector<Client*> clients_;
};

}  // namespace

std::unique_ptr<Protocol> make_udp(EventLoop& loop, Ledger& ledger, const Options& options) {
  return std::make_unique<Udp>(loop, ledger, options);
}

}  // namespace mcplane::peers
