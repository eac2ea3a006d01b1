// A shard has one question at a time, and the next is written only when it has answered: one whose core stands still
// holds up those behind it, whose askers lose patience.
#include "control/cores/inquiries.h"

#include <algorithm>
#include <utility>

namespace mcplane::control {

bool Inquiries::ask(const Inquiry& inquiry, Done done) {
  if (waiting_.size() >= kWaitingMax) return false;
  waiting_.push_back({inquiry, std::move(done)});
  return true;
}

void Inquiries::begin(std::size_t shards) {
  progress_.resize(shards);
  const auto& only = waiting_.front().inquiry.shard;
  for (std::size_t i = 0; only && i < shards; ++i) progress_[i].done = i != raw(*only);
}

void Inquiries::ask_piece(state::Inspection& piece, Progress& progress, CommandQueue& queue) {
  progress.asked = true;
  progress.answer = piece.answered.load(std::memory_order_relaxed) + 1;
  state::Command command{};
  command.kind = state::CommandKind::kInspect;
  queue.push(command);
}

void Inquiries::hear_piece(const state::Inspection& piece) {
  if (piece.question.subject == state::Inspection::Subject::kTasks)
    found_.tasks.insert(found_.tasks.end(), piece.tasks.begin(), piece.tasks.begin() + piece.count);
  else
    found_.routes.insert(found_.routes.end(), piece.routes.begin(), piece.routes.begin() + piece.count);
}

void Inquiries::poll(state::Shared& shared, std::span<CommandQueue> queues) {
  if (waiting_.empty()) return;
  if (progress_.empty()) begin(queues.size());
  for (std::size_t i = 0; i < queues.size(); ++i) {
    Progress& progress = progress_[i];
    state::Inspection& piece = shared.shards[i]->inspection;
    if (progress.done) continue;
    if (!progress.asked) {
      piece.question = waiting_.front().inquiry.question;
      ask_piece(piece, progress, queues[i]);
    } else if (piece.answered.load(std::memory_order_acquire) == progress.answer) {  // pairs with the core's release
      hear_piece(piece);
      const bool enough = found_.tasks.size() + found_.routes.size() >= waiting_.front().inquiry.enough;
      found_.more = found_.more || (enough && piece.more);
      progress.done = enough || !piece.more;
      piece.question.from = piece.next;
      if (!progress.done) ask_piece(piece, progress, queues[i]);
    }
  }
  if (!std::ranges::all_of(progress_, &Progress::done)) return;
  const Waiting heard = std::move(waiting_.front());
  const Found found = std::exchange(found_, {});
  waiting_.pop_front();
  progress_.clear();
  heard.done(found);
}

}  // namespace mcplane::control
