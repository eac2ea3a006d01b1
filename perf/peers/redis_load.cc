// Redis lists as a queue. Clients push to one list and take answers from a list of their own; workers take up to a
// batch with BLMPOP. Each turn is one pipelined write. A request and an answer are an RPUSH each, as a client library
// pipelines independent calls; "redis-batched" merges all that one turn has for a list into one RPUSH, which costs
// Redis least, and an application that collects its requests could do. What lists do not do here: prefer an idle
// worker, notice that a worker died with tasks in hand, repeat what is lost, expire, or keep duplicates away.
#include <algorithm>
#include <charconv>

#include "protocol.h"
#include "stream.h"

namespace mcplane::peers {

namespace {

constexpr std::string_view kQueue = "tasks";
constexpr std::uint32_t kBatchMax = 128;

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string answers_of(std::uint32_t client) { return "answers:" + std::to_string(client); }

// Takes what RPUSH and BLMPOP answer, RESP2: integers, and [key, [element, ...]].
class Connection : public Stream {
 public:
  // Pops up to `batch` elements of `list` at a time.
  Connection(EventLoop& loop, int fd, std::string_view list, std::uint32_t batch)
      : Stream(loop, fd),
        pop_("*7\r\n" + bulk("BLMPOP") + bulk("0") + bulk("1") + bulk(list) + bulk("LEFT") + bulk("COUNT") +
             bulk(std::to_string(batch))) {}

  void pop() { write(pop_); }

 protected:
  virtual void on_element(std::string_view element, std::uint64_t now) = 0;
  // All elements of one BLMPOP were handed out.
  virtual void on_batch_end(std::uint64_t now) = 0;

  // RPUSH to `list` (a bulk string); its `elements` must follow.
  void start_push(std::string_view list, std::size_t elements) {
    write("*");
    write_number(elements + 2);
    write("\r\n$5\r\nRPUSH\r\n");
    write(list);
  }

 private:
  std::size_t on_input(std::string_view input, std::uint64_t now) override {
    std::size_t used = 0;
    for (std::size_t step = 1; step != 0; used += step) step = take_one(input.substr(used), now);
    return used;
  }

  // Bytes of the line or bulk string at the front; 0 while it is incomplete.
  std::size_t take_one(std::string_view input, std::uint64_t now) {
    const std::size_t end = input.find("\r\n");
    if (end == std::string_view::npos) return 0;
    const std::int64_t value = value_in(input.substr(0, end));
    if (input[0] != '$') {
      if (input[0] == '*' && key_seen_) elements_ = value;
      return end + 2;
    }
    const std::size_t bytes = static_cast<std::size_t>(value);
    if (input.size() < end + 2 + bytes + 2) return 0;
    if (elements_ == 0) {
      key_seen_ = true;
    } else {
      take_element(input.substr(end + 2, bytes), now);
    }
    return end + 2 + bytes + 2;
  }

  void take_element(std::string_view element, std::uint64_t now) {
    on_element(element, now);
    if (--elements_ > 0) return;
    key_seen_ = false;
    on_batch_end(now);
  }

  static std::int64_t value_in(std::string_view line) {
    std::int64_t value = 0;
    const auto read = std::from_chars(line.data() + 1, line.data() + line.size(), value);
    if (line.empty() || line[0] == '-' || read.ec != std::errc() || value < 0)
      throw Failure("Redis: " + std::string(line));
    return value;
  }

  std::string pop_;
  bool key_seen_ = false;
  std::int64_t elements_ = 0;
};

// An element of the queue: the client's answer list as a bulk string, then the payload.
class Worker : public Connection {
 public:
  Worker(EventLoop& loop, int fd, std::uint32_t batch, bool merge)
      : Connection(loop, fd, kQueue, batch), merge_(merge) {
    pop();
  }

 private:
  void on_element(std::string_view element, std::uint64_t) override {
    const std::size_t line = element.find("\r\n");
    const std::size_t list_bytes = element.find("\r\n", line + 2) + 2;
    const std::string_view list = element.substr(0, list_bytes);
    const std::string_view payload = element.substr(list_bytes);
    if (!merge_ || list != list_) push_answers();
    if (answers_ == 0) list_ = list;
    ++answers_;
    body_ += "$" + std::to_string(payload.size()) + "\r\n";
    body_ += payload;
    body_ += "\r\n";
  }

  void on_batch_end(std::uint64_t) override {
    push_answers();
    pop();
  }

  void push_answers() {
    if (answers_ == 0) return;
    start_push(list_, answers_);
    write(body_);
    body_.clear();
    answers_ = 0;
  }

  bool merge_;
  std::string list_, body_;
  std::size_t answers_ = 0;
};

class Client : public Connection {
 public:
  Client(EventLoop& loop, int fd, Ledger& ledger, std::uint32_t index, bool merge)
      : Connection(loop, fd, answers_of(index), kBatchMax),
        ledger_(ledger),
        index_(index),
        merge_(merge),
        list_(bulk(answers_of(index))),
        queue_(bulk(kQueue)),
        element_("$" + std::to_string(list_.size() + ledger.payload_bytes()) + "\r\n" + list_) {
    for (std::uint32_t slot = 0; slot < ledger.window(); ++slot) free_.push_back(slot);
  }

  void send_requests(std::uint64_t now) {
    if (merge_ && !free_.empty()) start_push(queue_, free_.size());
    for (const std::uint32_t slot : free_) {
      if (!merge_) start_push(queue_, 1);
      write(element_);
      ledger_.begin(index_, slot, write_space(ledger_.payload_bytes()), now);
      write("\r\n");
    }
    free_.clear();
    pop();
  }

 private:
  void on_element(std::string_view element, std::uint64_t now) override {
    const auto slot = ledger_.finish(index_, element, now);
    if (slot && ledger_.open()) free_.push_back(*slot);
  }

  void on_batch_end(std::uint64_t now) override { send_requests(now); }

  Ledger& ledger_;
  std::uint32_t index_;
  bool merge_;
  std::string list_, queue_, element_;
  std::vector<std::uint32_t> free_;
};

class Redis : public Protocol {
 public:
  Redis(EventLoop& loop, Ledger& ledger, const Options& options) {
    const bool merge = options.protocol == "redis-batched";
    for (std::uint32_t i = 0; i < options.workers; ++i)
      loop.make<Worker>(loop, connect_tcp(options.host, options.port), std::min(options.slots, kBatchMax), merge);
    for (std::uint32_t i = 0; i < options.clients; ++i)
      clients_.push_back(loop.make<Client>(loop, connect_tcp(options.host, options.port), ledger, i, merge));
  }

  // Lists need no registration: what is pushed before a worker asks waits.
  bool ready() const override { return true; }
  void begin() override {
    for (Client* client : clients_) client->send_requests(now_ns());
  }

 private:
  std::vector<Client*> clients_;
};

}  // namespace

std::unique_ptr<Protocol> make_redis(EventLoop& loop, Ledger& ledger, const Options& options) {
  return std::make_unique<Redis>(loop, ledger, options);
}

}  // namespace mcplane::peers
