// See piece_queue.h. The I/O thread is woken once for any number of pieces that wait.
#include "client/piece_queue.h"

#include <algorithm>
#include <utility>

namespace mcplane::client {

bool PieceQueue::write(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = std::min(text.size(), kBytesMax);
    if (!push(text.substr(0, bytes))) return false;
    text.remove_prefix(bytes);
  }
  return !cancelled();
}

bool PieceQueue::push(std::string_view piece) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return ended_ || bytes_ + piece.size() <= kBytesMax; });
  if (ended_) return false;
  if (pieces_.empty()) written_.signal();
  pieces_.emplace_back(piece);
  bytes_ += piece.size();
  return true;
}

bool PieceQueue::cancelled() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

std::optional<std::string> PieceQueue::take() {
  const std::lock_guard lock(mutex_);
  if (pieces_.empty()) return std::nullopt;
  std::string piece = std::move(pieces_.front());
  pieces_.pop_front();
  bytes_ -= piece.size();
  room_.notify_one();
  return piece;
}

bool PieceQueue::empty() const {
  const std::lock_guard lock(mutex_);
  return pieces_.empty();
}

void PieceQueue::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  pieces_.clear();
  bytes_ = 0;
  room_.notify_all();
}

}  // namespace mcplane::client
