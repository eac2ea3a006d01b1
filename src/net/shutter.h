// Between threads that look at something now and then, each for less than a microsecond, and one that changes it: who
// looks says so, then asks whether it is open; who shuts it waits for those who said so (Dekker). A look costs
// one exchange of a line of its own; nobody who looks ever waits.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>

#include "base/types.h"

namespace mcplane::net {

class Shutter {
 public:
  // Shut at first.
  explicit Shutter(std::size_t lookers) : lookers_(lookers), looks_(std::make_unique<Look[]>(lookers)) {}

  // Each looker's own thread. False: it is shut, and there is nothing to leave.
  bool enter(std::size_t looker) noexcept {
    looks_[looker].now.store(true, std::memory_order_seq_cst);
    if (open_.load(std::memory_order_seq_cst)) return true;
    leave(looker);
    return false;
  }
  void leave(std::size_t looker) noexcept { looks_[looker].now.store(false, std::memory_order_release); }

  // The other thread. When shut() returns nobody looks, and what is changed then is seen by who enters after open().
  void shut() noexcept {
    open_.store(false, std::memory_order_seq_cst);
    for (std::size_t i = 0; i < lookers_; ++i)
      while (looks_[i].now.load(std::memory_order_seq_cst)) std::this_thread::yield();
  }
  void open() noexcept { open_.store(true, std::memory_order_seq_cst); }

 private:
  struct alignas(kCacheLineBytes) Look {
    // Written by: looker. Partner: open_; sequentially consistent both, so that one of the two sees the other.
    std::atomic<bool> now{false};
  };

  const std::size_t lookers_;
  std::unique_ptr<Look[]> looks_;
  // Written by: the other thread. Partner: Look::now.
  std::atomic<bool> open_{false};
};

}  // namespace mcplane::net
