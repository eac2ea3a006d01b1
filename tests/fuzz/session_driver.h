// A broker of two shards, a few clients and workers, and a hostile half-sense of the protocol: bytes are read as a
// sequence of moves - frames that fit the state, frames that nearly fit it, frames that are anything, time that passes,
// sessions that end. Peers remember what the broker sent them, so that answers carry live tokens. Whatever happens, the
// shards' books must balance, and once everybody has left nothing may be left. Aborts with words when something is.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "support/shard_rig.h"

namespace mcplane::fuzz {

// Bytes as choices; zeros once they are used up.
class Choices {
 public:
  explicit Choices(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool empty() const noexcept { return at_ >= bytes_.size(); }
  std::uint8_t byte() noexcept { return empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(bytes_[at_++]); }
  std::uint32_t below(std::uint32_t bound) noexcept { return byte() % bound; }
  std::uint32_t word() noexcept {
    std::uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word = word << 8 | byte();
    return word;
  }
  // True once in `often`.
  bool rarely(std::uint32_t often) noexcept { return byte() % often == 1; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

class SessionDriver {
 public:
  SessionDriver();

  // Every move that the bytes make, then a check.
  void run(std::span<const std::byte> bytes);
  // Ends every session, lets time pass, and holds that nothing is left: no task, timer, worker slot or buffer.
  void finish();
  // The rig has no lines for further workers: nobody is replaced any more.
  bool worn_out() const noexcept { return workers_made_ == testing::ShardRig::kWorkers; }

  std::uint64_t frames() const noexcept { return frames_; }
  // Of one kind the broker sent.
  std::uint64_t sent(wire::FrameType type) const noexcept { return sent_[static_cast<std::size_t>(type)]; }
  testing::ShardRig& rig() noexcept { return rig_; }

 private:
  static constexpr std::size_t kClients = 3, kWorkers = 3, kPeers = kClients + kWorkers;
  static constexpr std::size_t kRemembered = 16;
  static constexpr std::uint16_t kSlots = 8;

  struct Party {
    testing::Peer* peer = nullptr;
    std::array<testing::Bytes, 19> sound;              // by type: a sound frame of this peer
    std::array<wire::Header, kRemembered> remembered;  // what the broker last sent it
    std::size_t heard = 0;
    std::array<std::uint32_t, kSlots> sequences{};  // clients: last that the broker is known to know
    std::uint32_t results = 0;                      // workers: last number
  };

  void move(Choices& choices);
  void send_task(Choices& choices);
  void send_pulled(Choices& choices);
  void send_result(Choices& choices);
  void acknowledge(Choices& choices, bool worker);
  void cancel(Choices& choices);
  void ping(Choices& choices);
  void anything(Choices& choices);
  void garbage(Choices& choices);
  void pass_time(Choices& choices);
  void replace(Choices& choices);
  void change_routes(Choices& choices);
  void change_degradation(Choices& choices);

  Party& client(Choices& choices) { return parties_[choices.below(kClients)]; }
  Party& worker(Choices& choices) { return parties_[kClients + choices.below(kWorkers)]; }
  // What it heard last of that type, or of any; null: nothing yet.
  const wire::Header* recall(const Party& party, Choices& choices, wire::FrameType type) const;
  void join(std::size_t index);
  // A copy of the party's sound frame of that type, to be changed: the MCP header of it.
  wire::Header& begin(const Party& party, wire::FrameType type);
  void append_entries(Choices& choices, const Party& party);
  void complete(std::uint32_t shard);
  // Perhaps spoils the frame that was begun, then puts it on the wire.
  void emit(Choices& choices, std::uint32_t shard);
  void step();
  void listen(std::uint32_t shard);
  void hear(std::span<std::byte> frame);
  void check();

  testing::ShardRig rig_;
  std::array<Party, kPeers> parties_;
  alignas(16) std::array<std::byte, 2'048> frame_{};
  std::size_t frame_bytes_ = 0, datagram_at_ = 0;
  std::array<std::uint64_t, 19> sent_{};
  std::uint64_t frames_ = 0, steps_ = 0;
  std::uint32_t clients_made_ = 0, workers_made_ = 0;
};

}  // namespace mcplane::fuzz
