// Questions about what only cores can read (state/inspection.h), one after the other: each shard is asked for a piece
// a poll until all is told or enough is known. Control thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "control/cores/command_queue.h"
#include "state/shared.h"

namespace mcplane::control {

struct Inquiry {
  state::Inspection::Question question{};
  std::optional<ShardId> shard{};  // none: all of them
  std::size_t enough = ~std::size_t{0};
};

struct Found {
  std::vector<state::TaskCopy> tasks;
  std::vector<state::RouteCopy> routes;
  bool more = false;  // there was enough before all was told
};

class Inquiries {
 public:
  using Done = std::function<void(const Found&)>;
  static constexpr std::size_t kWaitingMax = 16;

  // done: on the control thread, in a later poll(). False when too many wait.
  bool ask(const Inquiry& inquiry, Done done);
  // queues: of the shards.
  void poll(state::Shared& shared, std::span<CommandQueue> queues);

 private:
  struct Waiting {
    Inquiry inquiry;
    Done done;
  };
  // Of the first that waits, at one shard.
  struct Progress {
    bool asked = false, done = false;
    std::uint32_t answer = 0;  // number of the one that is awaited
  };

  void begin(std::size_t shards);
  void ask_piece(state::Inspection& piece, Progress& progress, CommandQueue& queue);
  void hear_piece(const state::Inspection& piece);

  std::deque<Waiting> waiting_;
  std::vector<Progress> progress_;  // by shard; empty: the first has not begun
  Found found_;
};

}  // namespace mcplane::control
