// Publication of immutable objects from the control thread to the cores, read-copy-update style: one atomic pointer,
// and one epoch line a core that says up to which publication the core has let go of everything older.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/types.h"

namespace mcplane::state {

template <class T>
class Rcu {
 public:
  // `first` is what readers see before any publish().
  Rcu(std::size_t readers, std::unique_ptr<const T> first)
      : epochs_(new Epoch[readers]), readers_(readers), owner_(std::move(first)), current_(owner_.get()) {}

  // Cores. The pointer is good until this reader's next quiescent().
  // Acquire; pairs with the release exchange in publish(): the object's contents are visible.
  const T* read() const noexcept { return current_.load(std::memory_order_acquire); }

  // Cores, once a loop, while holding nothing read before.
  // The release store pairs with the acquire load in reclaim(): the core's last reads happen before the delete.
  void quiescent(std::size_t reader) noexcept {
    epochs_[reader].seen.store(epoch_.load(std::memory_order_acquire), std::memory_order_release);
  }

  // Control. Swaps the object; the old one is kept until every reader passed a quiescent point after the swap.
  void publish(std::unique_ptr<const T> next) {
    current_.store(next.get(), std::memory_order_release);
    retire(std::exchange(owner_, std::move(next)));
  }

  // Control. Of anything that cores read between the same quiescent points by another pointer, which shows it no more:
  // kept until nobody can hold it.
  void retire(std::shared_ptr<const void> object) {
    // Sequenced after the pointer: a core that sees the new epoch (acquire) reads the new pointer from then on.
    const std::uint64_t epoch = epoch_.fetch_add(1, std::memory_order_release) + 1;
    retired_.push_back({epoch, std::move(object)});
    reclaim();
  }

  // Control. Deletes what nobody can hold any more; returns how many still wait.
  std::size_t reclaim() {
    std::uint64_t oldest = epoch_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < readers_; ++i)
      oldest = std::min(oldest, epochs_[i].seen.load(std::memory_order_acquire));
    std::erase_if(retired_, [&](const Retired& retired) { return retired.epoch <= oldest; });
    return retired_.size();
  }

 private:
  struct alignas(kCacheLineBytes) Epoch {
    std::atomic<std::uint64_t> seen{0};  // Written by: its core.
  };
  struct Retired {
    std::uint64_t epoch;
    std::shared_ptr<const void> object;
  };

  std::unique_ptr<Epoch[]> epochs_;
  std::size_t readers_;
  std::unique_ptr<const T> owner_;                          // control's
  std::vector<Retired> retired_;                            // control's
  alignas(kCacheLineBytes) std::atomic<const T*> current_;  // Written by: control.
  std::atomic<std::uint64_t> epoch_{0};                     // Written by: control.
};

}  // namespace mcplane::state
