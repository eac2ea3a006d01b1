// A NATS client's connection: the text protocol, INFO, CONNECT, SUB, PING, PONG, MSG, PUB.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "stream.h"

namespace mcplane::peers {

inline std::uint32_t nats_number(std::string_view digits) {
  std::uint32_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size())
    throw Failure("NATS: '" + std::string(digits) + "' is no number");
  return value;
}

class NatsConnection : public Stream {
 public:
  // subscriptions: SUB lines.
  NatsConnection(EventLoop& loop, int fd, std::string subscriptions)
      : Stream(loop, fd), subscriptions_(subscriptions) {}

  bool ready() const { return ready_; }

 protected:
  struct Message {
    std::string_view subject, reply, payload;  // `reply` is empty unless the sender wants an answer
    std::uint32_t subscription = 0;
  };
  virtual void on_message(const Message& message, std::uint64_t now) = 0;

 private:
  static constexpr std::string_view kConnect =
      R"(CONNECT {"verbose":false,"pedantic":false,"lang":"c++","version":"1","protocol":1,"headers":false})"
      "\r\n";

  static std::string_view next_word(std::string_view& text) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return word;
  }

  std::size_t on_input(std::string_view input, std::uint64_t now) override {
    std::size_t used = 0;
    for (;;) {
      const std::string_view rest = input.substr(used);
      const std::size_t end = rest.find("\r\n");
      if (end == std::string_view::npos) return used;
      const std::string_view line = rest.substr(0, end);
      std::size_t message_bytes = end + 2;
      if (line.starts_with("MSG ")) {
        const std::size_t payload_bytes = nats_number(line.substr(line.rfind(' ') + 1));
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
    Message message;
    message.subject = next_word(head);
    message.subscription = nats_number(next_word(head));
    const std::string_view reply = next_word(head);
    if (!head.empty()) message.reply = reply;
    message.payload = payload;
    on_message(message, now);
  }

  void take_line(std::string_view line) {
    if (line.starts_with("INFO ")) {
      write(kConnect);
      write(subscriptions_);
      write("PING\r\n");
    } else if (line == "PING") {
      write("PONG\r\n");
    } else if (line == "PONG") {
      ready_ = true;
    } else if (line.starts_with("-ERR")) {
      throw Failure("NATS: " + std::string(line));
    }
  }

  std::string subscriptions_;
  bool ready_ = false;
};

}  // namespace mcplane::peers
