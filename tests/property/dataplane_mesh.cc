// The hand-over mesh keeps the order of each pair of shards, loses nothing it took and gives each frame to its
// addressee only, under any sequence of bursts.
#include <rapidcheck.h>

#include <array>
#include <deque>
#include <vector>

#include "dataplane/handoff.h"
#include "property/dataplane_properties.h"

namespace mcplane::dataplane {
namespace {

constexpr std::size_t kShards = 4, kFrames = 6;

ShardId id(std::size_t shard) { return ShardId(static_cast<std::uint8_t>(shard)); }

// A frame is known by its headroom and length: who sent it, and its number.
net::Packet frame(std::size_t from, std::uint16_t number) {
  return {nullptr, nullptr, number, static_cast<std::uint16_t>(from), PortId{}};
}

struct Model {
  HandoffMesh mesh{kShards, kFrames};
  std::array<std::array<std::deque<std::uint16_t>, kShards>, kShards> waiting;  // by sender, by addressee
  std::uint16_t next = 0;

  void push(std::size_t from, std::size_t to, std::size_t count) {
    std::vector<net::Packet> burst;
    for (std::size_t i = 0; i < count; ++i) burst.push_back(frame(from, next++));
    auto& line = waiting[from][to];
    const std::size_t taken = mesh.push(id(from), id(to), burst);
    RC_ASSERT(taken == std::min(count, kFrames - line.size()));
    for (std::size_t i = 0; i < taken; ++i) line.push_back(burst[i].length());
  }

  void pop(std::size_t to, std::size_t count) {
    std::size_t all = 0;
    for (const auto& from : waiting) all += from[to].size();
    std::vector<net::Packet> burst(count);
    const std::size_t taken = mesh.pop(id(to), burst);
    RC_ASSERT(taken == std::min(count, all));
    for (std::size_t i = 0; i < taken; ++i) {
      auto& line = waiting.at(burst[i].headroom())[to];
      RC_ASSERT(!line.empty() && line.front() == burst[i].length());
      line.pop_front();
    }
  }
};

}  // namespace

bool check_mesh() {
  return rc::check("the hand-over mesh is a bounded queue for each pair of shards", [] {
    Model model;
    const auto steps = *rc::gen::inRange(0, 200);
    for (int step = 0; step < steps; ++step) {
      const auto to = *rc::gen::inRange<std::size_t>(0, kShards);
      const auto other = (to + *rc::gen::inRange<std::size_t>(1, kShards)) % kShards;
      const auto count = *rc::gen::inRange<std::size_t>(0, 9);
      if (*rc::gen::arbitrary<bool>())
        model.push(other, to, count);
      else
        model.pop(to, count);
    }
    for (std::size_t to = 0; to < kShards; ++to) model.pop(to, kShards * kFrames + 1);
  });
}

}  // namespace mcplane::dataplane
