// The fixture of all dataplane tests: a rig whose books are checked at each test's end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/shard_rig.h"

namespace mcplane::dataplane {

using testing::Bytes;
using testing::Family;
using testing::FrameSpec;
using testing::Parsed;
using testing::Peer;
using testing::PeerSpec;
using testing::RigOptions;
using testing::Sent;
using testing::ShardRig;
using wire::Executed;
using wire::FrameType;
using wire::Reason;

class DataplaneTest : public ::testing::Test {
 protected:
  ShardRig& rig() {
    if (!rig_) rig_ = std::make_unique<ShardRig>(options);
    return *rig_;
  }
  void TearDown() override {
    if (!rig_) return;
    EXPECT_EQ(rig_->check_balance(), "");
  }

  // One loop, and what it sent: each frame sound and from us.
  std::vector<Sent> step() {
    rig().step();
    auto sent = rig().take_sent();
    for (const Sent& frame : sent) expect_sound(frame);
    if (HasFatalFailure()) throw std::runtime_error("an unsound frame was sent");
    return sent;
  }
  std::vector<Sent> after_ms(std::uint64_t ms) {
    rig().advance_ms(ms);
    return step();
  }
  // Sends and steps.
  std::vector<Sent> exchange(const FrameSpec& spec) {
    rig().send(spec);
    return step();
  }
  // The one frame of `frames`, which must be of `type`.
  static Sent only(std::vector<Sent> frames, FrameType type) {
    EXPECT_EQ(frames.size(), 1U);
    if (frames.empty()) throw std::runtime_error("no frame was sent");
    EXPECT_EQ(frames[0].type(), type);
    return std::move(frames[0]);
  }
  void expect_sound(const Sent& frame) {
    ASSERT_EQ(frame.parsed.lower.frame_class, wire::FrameClass::kUdp) << name_of(frame.parsed.lower.reason);
    EXPECT_EQ(frame.parsed.reason, DropReason::kNone) << name_of(frame.parsed.reason);
    const auto from = static_cast<std::uint32_t>(frame.parsed.lower.source.port - testing::kOurPort);
    ASSERT_LT(from, options.shards);
    EXPECT_EQ(rig().sender_of(from), raw(frame.shard)) << "from shard " << from;
    EXPECT_NE(udp_checksum_field(frame), 0) << "a sent checksum is never 0";
    EXPECT_EQ(frame.header().boot_id(), testing::kSampleBoot);
  }
  static std::uint16_t udp_checksum_field(const Sent& frame) {
    const std::size_t at = frame.parsed.lower.udp_offset + std::size_t{6};
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(frame.bytes[at]) << 8 |
                                      std::to_integer<unsigned>(frame.bytes[at + 1]));
  }
  static void expect_reject(const Sent& frame, Reason reason, Executed executed) {
    EXPECT_EQ(frame.type(), FrameType::Reject);
    EXPECT_EQ(frame.header().reason(), reason) << wire::fb::EnumNameReason(frame.header().reason());
    EXPECT_EQ(frame.header().executed(), executed);
    EXPECT_EQ(frame.parsed.datagram.size(), wire::kLeadBytes);
    EXPECT_EQ(frame.header().table_length(), 0);
    EXPECT_EQ(frame.header().message_length(), 0U);
    EXPECT_EQ(frame.header().flags(), 0);
  }
  // The first of that type among others.
  static Sent first(std::vector<Sent> frames, FrameType type) {
    const auto found = std::ranges::find(frames, type, &Sent::type);
    if (found == frames.end()) throw std::runtime_error("no such frame was sent");
    return std::move(*found);
  }
  // The same spec; `change` has the last word on its header.
  template <class Change>
  static FrameSpec edited(FrameSpec spec, Change change) {
    spec.edit = [change, inner = std::move(spec.edit)](wire::Header& header) {
      if (inner) inner(header);
      change(header);
    };
    return spec;
  }
  static FrameSpec with_priority(FrameSpec spec, std::uint8_t priority) {
    return edited(std::move(spec), [priority](wire::Header& header) {
      header.mutate_flags(wire::with_priority(header.flags(), priority));
    });
  }
  static std::size_t count(const std::vector<Sent>& frames, FrameType type) {
    return static_cast<std::size_t>(
        std::ranges::count_if(frames, [type](const Sent& frame) { return frame.type() == type; }));
  }
  // Runs every shard until nothing moves.
  std::vector<Sent> run_out() {
    std::vector<Sent> all;
    for (int quiet = 0; quiet < 3;) {
      auto sent = step();
      quiet = sent.empty() ? quiet + 1 : 0;
      std::ranges::move(sent, std::back_inserter(all));
    }
    return all;
  }
  // Token index of a routed task.
  Task& task_of(const Sent& route) {
    return rig().shard(raw(route.shard)).tasks[wire::token_of(route.header()).index()];
  }
  ClientSlot& slot_of(const Peer& client, std::uint16_t slot) {
    Shard& shard = rig().shard(raw(client.spec.shard));
    return shard.client_slot(*shard.sessions.find(client.session), slot);
  }

  RigOptions options;  // before the first rig()

 private:
  std::unique_ptr<ShardRig> rig_;
};

// With one client and one worker, registered and published.
class PairTest : public DataplaneTest {
 protected:
  void start(std::uint16_t worker_slots, PeerSpec client_spec = {}, PeerSpec worker_spec = {}) {
    client = &rig().add_client(client_spec);
    worker = &rig().add_worker(worker_slots, worker_spec);
    rig().publish();
    EXPECT_TRUE(step().empty());
  }
  // SEND on the slot; what came of it in that loop.
  std::vector<Sent> submit(std::uint16_t slot, std::uint32_t sequence = 1, std::uint32_t ttl_ms = 1000) {
    return exchange(rig().send_spec(*client, slot, sequence, ttl_ms));
  }
  Sent route(std::uint16_t slot, std::uint32_t sequence = 1, std::uint32_t ttl_ms = 1000) {
    return only(submit(slot, sequence, ttl_ms), FrameType::Route);
  }
  std::vector<Sent> finish(const Sent& routed) { return exchange(rig().result_spec(*worker, routed.header())); }
  // While the worker is full two more tasks come, and then it goes: what came of it in that loop.
  std::vector<Sent> lose_worker_with_two_waiting() {
    submit(1);
    submit(2);
    rig().withdraw(*worker);
    rig().publish();
    return step();
  }
  // Steps in 1 ms until `ms` have passed; when, from now, frames of `type` left. Keeps the last.
  std::vector<std::uint64_t> times_of(FrameType type, std::uint64_t ms) {
    std::vector<std::uint64_t> times;
    for (std::uint64_t at = 1; at <= ms; ++at)
      for (Sent& frame : after_ms(1))
        if (frame.type() == type) {
          times.push_back(at);
          last = std::make_unique<Sent>(std::move(frame));
        }
    return times;
  }

  Peer* client = nullptr;
  Peer* worker = nullptr;
  std::unique_ptr<Sent> last;
};

// With one client and workers that serve alike.
class WorkersTest : public PairTest {
 protected:
  void start_workers(std::size_t count, std::uint16_t slots) {
    client = &rig().add_client();
    for (std::size_t i = 0; i < count; ++i) workers.push_back(&rig().add_worker(slots));
    rig().publish();
    step();
  }
  Peer* worker_of(const Sent& route) {
    const auto found = std::ranges::find_if(workers, [&](Peer* w) { return w->address == route.to(); });
    return found == workers.end() ? nullptr : *found;
  }
  void answer(const Sent& routed) {
    EXPECT_EQ(exchange(rig().result_spec(*worker_of(routed), routed.header())).size(), 1U);
  }

  std::vector<Peer*> workers;
};

}  // namespace mcplane::dataplane
