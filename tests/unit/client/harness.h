// What the engine tests share: an outbox whose frames are taken as copies, and a session brought to kRegistered.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "client/session.h"
#include "support/broker_frames.h"

namespace mcplane::client {

using test::Frame;
using test::kInstance;
using test::Life;
using wire::FrameType;

inline constexpr std::uint64_t kMs = kNsPerMs;
inline constexpr std::uint64_t kStart = 1'000 * kMs;  // no test starts at the clock's zero
inline const wire::Endpoint kBroker{wire::IpAddress::v4({10, 0, 0, 1}), 4800};
inline constexpr std::uint16_t kMtuBytes = 1500;

inline wire::Endpoint shard_of(const Life& life) { return {kBroker.ip, life.port}; }

inline wire::HelloBody client_hello(std::uint16_t slots = 4) {
  wire::HelloBody hello;
  hello.service = wire::Service::kClient;
  hello.slots = slots;
  hello.instance = kInstance;
  hello.name = "test";
  return hello;
}

inline wire::HelloBody worker_hello(std::uint16_t slots = 2) {
  wire::HelloBody hello;
  hello.service = wire::Service::kWorker;
  hello.slots = slots;
  hello.instance = kInstance;
  hello.name = "test";
  hello.actions = {"generate"};
  return hello;
}

struct Sent {
  Frame frame;
  wire::Endpoint to;
  std::uint64_t at_ns = 0;  // where a test looks at it
  const wire::Header& header() const { return wire::header_of(frame.bytes()); }
};

// Every datagram an endpoint sends must be sound.
inline std::vector<Sent> take_sent(Outbox& out) {
  std::vector<Sent> sent;
  for (const auto& entry : out.entries()) {
    EXPECT_EQ(name_of(wire::check_datagram(entry.datagram)), "none");
    sent.push_back({Frame(std::span<const std::byte>(entry.datagram)), entry.to, 0});
  }
  out.clear();
  return sent;
}

// Exactly one datagram of this type was sent.
inline Sent take_one(Outbox& out, FrameType type) {
  auto sent = take_sent(out);
  EXPECT_EQ(sent.size(), 1U);
  if (sent.empty()) return {Frame(FrameType::None), {}, 0};
  EXPECT_EQ(sent[0].header().type(), type);
  return sent[0];
}

}  // namespace mcplane::client
