// Frames as a broker sends them, for tests of the endpoints: one function a frame, made with wire/ only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "wire/header.h"
#include "wire/registration.h"

namespace mcplane::test {

// A datagram in memory of its own, 2 mod 4 as endpoints receive it.
class Frame {
 public:
  Frame(wire::FrameType type, std::span<const std::byte> behind = {});
  // A copy of one seen elsewhere.
  explicit Frame(std::span<const std::byte> datagram);

  wire::Header& header() noexcept { return wire::header_of(mutable_bytes()); }
  std::span<const std::byte> bytes() const noexcept { return std::span(storage_).subspan(2); }
  std::span<std::byte> mutable_bytes() noexcept { return std::span(storage_).subspan(2); }

 private:
  std::vector<std::byte> storage_;
};

// Of the endpoints of tests that name none of their own.
inline constexpr wire::Id16 kInstance = {0x1d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// One life of a broker and one session in it.
struct Life {
  std::uint32_t boot_id = 0xb007;
  std::uint32_t session = 0x00100001;
  std::uint16_t port = 4801;
  std::uint16_t base_port = 4800;
  std::uint16_t shards = 4;
  std::uint16_t slot_limit = 1024;
  std::uint16_t frame_bytes = 1500;
  std::uint32_t heartbeat_interval_ms = 1'000;
  std::uint32_t max_ack_delay_us = 1'000;
  wire::Id16 instance = kInstance;  // whom it welcomes
  std::uint32_t hello = 1'000;      // number of the HELLO it answers
};

struct Attempt {
  TaskToken token{0x01000007, 3};
  std::uint8_t number = 1;
  std::uint32_t route = 0;  // number of its ROUTE, from 1
};

Frame retry(std::uint32_t issued_ms, const Life& life = {});
Frame welcome(const Life& life);
Frame ping(const Life& life);
Frame pong(const Life& life, std::uint32_t number);  // names no interval
Frame unknown_session(const Life& life);
// Answers to a SEND as the client wrote it; reject() also to a SUBSCRIBE.
Frame deliver(std::span<const std::byte> send, std::span<const std::byte> answer,
              wire::Reason reason = wire::Reason::Ok);
Frame reject(std::span<const std::byte> send, wire::Reason reason, wire::Executed executed,
             std::uint32_t retry_after_ms = 0);
// Of the SEND, CANCEL, SUBSCRIBE or UNSUBSCRIBE itself; wire::append_ack_entry() takes more of them.
Frame acknowledge(std::span<const std::byte> frame);
// For the payload of that SEND.
Frame pull(std::span<const std::byte> send, const Attempt& attempt);
// To a worker whose session is life.session; client_session is the sender's.
Frame route(const Life& life, const Attempt& attempt, std::span<const std::byte> table,
            std::span<const std::byte> payload, std::uint32_t client_session = 0x00200002);
Frame cancel(const Life& life, const Attempt& attempt);
Frame acknowledge_result(const Life& life, std::uint32_t number, wire::Reason reason = wire::Reason::Ok);
// For the RESULT of that attempt.
Frame pull_result(const Life& life, const Attempt& attempt);
// To the session life.session, numbered by that shard.
Frame event(const Life& life, std::uint32_t subscription, std::uint16_t shard, std::uint32_t number,
            std::span<const std::byte> table, std::span<const std::byte> payload);
// One more frame that an ACK acknowledges.
Frame with_entry(const Frame& ack, std::uint32_t name, std::uint32_t number);

}  // namespace mcplane::test
