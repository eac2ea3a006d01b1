// Orders of a pool's workers that policies need ready-made, built a piece at a time: a pool of 64,000 workers takes
// some hundred polls, and heartbeats go on meanwhile. Control thread; sans clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <queue>
#include <span>
#include <vector>

#include "state/route_rule.h"

namespace mcplane::control {

struct OrderMember {
  WorkerId worker = kNoWorker;
  std::uint32_t weight = 1;  // 1-1000
  std::uint64_t key = 0;     // of its address: the same after it was away
};

// A smooth weighted round: each worker's turns lie as far apart as its weight allows, so that no stretch of the round
// is unfair. Its length is the sum of the weights over their common divisor; beyond kLengthMax weights are rounded.
class TurnBuilder {
 public:
  static constexpr std::uint64_t kLengthMax = 65'536;

  explicit TurnBuilder(std::span<const OrderMember> members);
  // Up to so many places more; true when it is complete. Cost of one: a heap's.
  bool step(std::size_t places);
  state::WorkerOrder take() { return std::move(order_); }

 private:
  struct Turn {
    double at = 0;  // in rounds
    std::uint32_t member = 0;
    bool operator>(const Turn& other) const noexcept { return at != other.at ? at > other.at : member > other.member; }
  };

  std::vector<OrderMember> members_;
  std::vector<double> stride_;  // by member: rounds between two turns
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> next_;
  std::size_t length_ = 0;
  state::WorkerOrder order_;
};

// A Maglev look-up table (Eisenbud et al., NSDI 2016, 3.4): each worker has entries in proportion to its weight, and
// few entries change hands when a worker comes or goes.
class MaglevBuilder {
 public:
  explicit MaglevBuilder(std::vector<OrderMember> members);
  // Up to so many looks for a free entry; true when it is complete.
  bool step(std::size_t looks);
  state::WorkerOrder take() { return std::move(order_); }

  // Entries of a table for so many workers, a prime: 64 a worker where that is no more than a million.
  static std::uint32_t entries_for(std::size_t workers) noexcept;

 private:
  struct Walker {
    std::uint32_t place = 0, skip = 0;  // next entry of its permutation, and the step to the one after
    std::uint32_t credit = 0;           // a turn costs weight_max_
  };

  std::vector<OrderMember> members_;  // by key: the table does not depend on who came first
  std::vector<Walker> walkers_;
  std::uint32_t weight_max_ = 1;
  std::size_t turn_ = 0;  // the member that looks next
  bool looking_ = false;  // it has paid for its turn
  std::size_t filled_ = 0;
  state::WorkerOrder order_;
};

}  // namespace mcplane::control
