// A client's tasks and answers in parts, by slot: what of a task is still to go to its worker, and which parts of an
// answer have come before those that belong in front of them. Nothing is kept of messages that fit a frame. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "client/part_receiver.h"
#include "client/part_sender.h"
#include "wire/header.h"

namespace mcplane::client {

// A task on its way. Part 0 is the slot's kept SEND.
struct OutgoingTask {
  std::vector<std::byte> message;  // table and payload
  std::size_t part_bytes = 0;
  PartSender sender{1};
  std::uint8_t attempt = 0;  // whose GRANT came; 0: none yet
  TaskToken token;

  std::span<const std::byte> part(std::uint32_t number) const noexcept {
    const std::size_t at = number * part_bytes;
    return std::span(message).subspan(at, std::min(part_bytes, message.size() - at));
  }
};

// An answer that comes in parts.
struct IncomingAnswer {
  PartReceiver receiver{wire::kUnscheduledParts};
  std::array<std::vector<std::byte>, PartReceiver::kWindow> early;  // payloads, by part
  std::optional<std::uint32_t> last;                                // part
  wire::Header end;                                                 // of that one
  wire::Header about;                                               // of any: whose answer
};

class ClientParts {
 public:
  struct Exchange {
    std::uint16_t slot = 0;
    std::unique_ptr<OutgoingTask> task;      // null: it fits a frame
    std::unique_ptr<IncomingAnswer> answer;  // null: it has not come, or is one frame
  };

  // Null: its messages are one frame each, so far.
  Exchange* find(std::uint16_t slot) noexcept;
  Exchange& find_or_add(std::uint16_t slot);
  // What parts of its answer hold stays until the next call of this.
  void end(std::uint16_t slot) noexcept;
  void move(std::uint16_t from, std::uint16_t to) noexcept;
  void clear() noexcept { exchanges_.clear(); }

  std::span<Exchange> exchanges() noexcept { return exchanges_; }
  std::span<const Exchange> exchanges() const noexcept { return exchanges_; }

 private:
  std::vector<Exchange> exchanges_;  // those under way, few
  std::unique_ptr<IncomingAnswer> ended_;
};

}  // namespace mcplane::client
