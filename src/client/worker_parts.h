// A worker's tasks and answers in parts: tasks of which not all parts have come, and answers of which not all are
// acknowledged, streams among them. Nothing is kept of messages that fit a frame. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "client/part_receiver.h"
#include "client/part_sender.h"
#include "wire/address.h"
#include "wire/header.h"
#include "wire/retransmission.h"

namespace mcplane::client {

// A task on its way in, until its worker is done with it.
struct IncomingTask {
  std::uint32_t record = 0;        // of the running task
  std::vector<std::byte> message;  // table and payload, as far as they came; empty once complete
  std::size_t message_bytes = 0, part_bytes = 0;
  PartReceiver receiver;
  std::uint64_t ask_ns = PartReceiver::kNever;  // when its sender is told again, for want of parts
  std::uint32_t asked = 0;                      // so often since a part came

  // It has been granted parts, and they come.
  bool flows() const noexcept { return receiver.is_open() && !complete() && asked == 0; }
  // A part has come, or it has been granted its first.
  void expect_parts(std::uint64_t now_ns) noexcept;
  // None has come for long: a GRANT is due again.
  void ask_again(std::uint64_t now_ns) noexcept;

  std::uint32_t parts() const noexcept {
    return static_cast<std::uint32_t>((message_bytes + part_bytes - 1) / part_bytes);
  }
  bool complete() const noexcept { return receiver.next() == parts(); }
  std::size_t bytes_missing() const noexcept {
    return message_bytes - std::min(message_bytes, receiver.next() * part_bytes);
  }
};

// An answer on its way out, until all of it is acknowledged.
struct OutgoingAnswer {
  TaskToken token;
  std::uint8_t attempt = 0;
  std::uint32_t number = 0;  // of the RESULT
  wire::Endpoint to;
  wire::Header header;                        // of all its parts
  std::uint32_t first = 0;                    // part that pieces begin with: the last acknowledged, or the first of all
  std::deque<std::vector<std::byte>> pieces;  // payloads
  PartSender sender{wire::kUnscheduledParts};
  bool stream = false;           // it was begun before it was known
  bool closed = false;           // its last part is there
  wire::Reason reason{};         // of the last
  std::uint64_t emitted_ns = 0;  // when the latest was made

  std::uint32_t unacknowledged() const noexcept { return sender.made() - sender.acknowledged(); }
};

struct WorkerParts {
  // An endpoint's bounds: of tasks whose parts come, and of their bytes.
  static constexpr std::size_t kTasksMax = 256;
  static constexpr std::size_t kBytesMax = std::size_t{64} << 20;
  // Tasks that are granted parts at a time, and share a window: others wait, so that many senders do not flood one
  // receiver, and what else comes on their path. Two, so that one's end does not leave the path empty.
  static constexpr std::uint32_t kGrantedAtOnce = 2;
  // A task of which nothing new has come for so long leaves its place to another, and its sender is told again: GRANT
  // or parts were lost, or the sender is gone. Four of the shortest PTOs, so that who was busy for some milliseconds
  // keeps it; where a round trip is longer, more are granted at once, and more are under way.
  static constexpr std::uint64_t kQuietNs = 4 * wire::kPtoMinNs;
  static constexpr std::uint32_t kQuietDoublingsMax = 3;

  std::vector<std::unique_ptr<IncomingTask>> tasks;
  std::vector<std::unique_ptr<OutgoingAnswer>> answers;
  std::vector<std::byte> assigned;  // the message of the last Assignment
  std::size_t task_bytes = 0, answer_bytes = 0;

  bool has_room(std::size_t message_bytes) const noexcept;
  IncomingTask* find_task(std::uint32_t record) noexcept;
  OutgoingAnswer* find_answer(TaskToken token, std::uint8_t attempt) noexcept;
  OutgoingAnswer* find_answer(std::uint32_t number) noexcept;
  void erase_task(std::uint32_t record) noexcept;
  void erase_answer(const OutgoingAnswer& answer) noexcept;
  void clear() noexcept;
};

}  // namespace mcplane::client
