// The way of a stream's pieces from its handler's thread to the I/O thread. Short: a handler that is ahead of its
// client waits in write(), and the I/O thread never waits for it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "client/event_loop.h"
#include "mcplane/worker.h"

namespace mcplane::client {

class PieceQueue final : public AnswerStream {
 public:
  // Beyond, the handler waits; no piece is longer.
  static constexpr std::size_t kBytesMax = std::size_t{32} << 10;

  // `written` is signalled when a piece waits; it outlives the queue.
  explicit PieceQueue(Wakeup& written) : written_(written) {}

  bool write(std::string_view text) override;
  bool cancelled() const override;

  // I/O thread.
  std::optional<std::string> take();
  bool empty() const;
  void end();  // nobody waits for the answer: write() says so

 private:
  bool push(std::string_view piece);

  Wakeup& written_;
  mutable std::mutex mutex_;  // guards the fields below
  std::condition_variable room_;
  std::deque<std::string> pieces_;
  std::size_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace mcplane::client
