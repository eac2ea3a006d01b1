// See load_index.h for why no bit stays wrong.
#include "state/load_index.h"

#include <algorithm>
#include <functional>

#include "base/check.h"
#include "state/worker_table.h"

namespace mcplane::state {
namespace {

constexpr std::uint32_t shift_of(const LoadNode& node) noexcept { return kDigitBits * (node.height - 1); }
constexpr std::uint32_t places_below(std::uint32_t height) noexcept { return 1U << kDigitBits * height; }

LoadIndex::Found next_in(const LoadNode& node, std::uint32_t level, std::uint32_t from) noexcept {
  const std::uint32_t shift = shift_of(node), start = from >> shift;
  std::uint64_t word = node.words[level].load(std::memory_order_acquire) & (~std::uint64_t{0} << start);
  // A child that has emptied meanwhile is passed over.
  for (; word != 0; word &= word - 1) {
    const auto digit = static_cast<std::uint32_t>(std::countr_zero(word));
    if (node.height == 1)
      return {digit, static_cast<const LoadLeaf&>(node).workers[digit].load(std::memory_order_relaxed)};
    const LoadNode& child = *static_cast<const LoadInner&>(node).children[digit].load(std::memory_order_relaxed);
    LoadIndex::Found found = next_in(child, level, digit == start ? from & ((1U << shift) - 1) : 0);
    if (found.place == LoadIndex::kNone) continue;
    found.place |= digit << shift;
    return found;
  }
  return {};
}

// The bit of `above` is set as long as `below` is not 0: who writes it last has seen the last state of `below`, or the
// core that changed that then writes after him. Returns whether `above` has emptied, or was empty, meanwhile.
template <class Word>
bool follow(std::atomic<Word>& above, Word bit, const std::atomic<std::uint64_t>& below) noexcept {
  for (bool crossed = false;;) {
    const bool some = below.load(std::memory_order_seq_cst) != 0;
    if (((above.load(std::memory_order_seq_cst) & bit) != 0) != some) {
      const Word before =
          some ? above.fetch_or(bit, std::memory_order_seq_cst) : above.fetch_and(~bit, std::memory_order_seq_cst);
      const Word after = some ? before | bit : before & ~bit;
      crossed = crossed || (before == 0) != (after == 0);
    }
    if ((below.load(std::memory_order_seq_cst) != 0) == some) return crossed;
  }
}

}  // namespace

LoadIndex::Found LoadIndex::find_slowly(std::uint32_t level, std::uint32_t from) const noexcept {
  const LoadNode& root = *root_.load(std::memory_order_acquire);
  from &= places_below(root.height) - 1;
  const Found found = next_in(root, level, from);
  return found.place != kNone || from == 0 ? found : next_in(root, level, 0);
}

LoadIndex::Next LoadIndex::next(std::uint32_t from) const noexcept {
  const std::uint32_t mask = places_below(root_.load(std::memory_order_acquire)->height) - 1;
  Next nearest;
  for (std::uint32_t level = lowest(0); level < kLoadLevels; level = lowest(level + 1)) {
    const Found found = find(level, from);
    if (found.worker == kNoWorker) continue;
    if (nearest.worker == kNoWorker || ((found.place - from) & mask) < ((nearest.place - from) & mask))
      nearest = {found, level};
  }
  return nearest;
}

// One core alone: what says of a word whether it is empty follows it, as far up as a word empties or fills.
void LoadIndex::climb(LoadNode& node, std::uint32_t level) noexcept {
  for (LoadNode* below = &node;;) {
    const bool some = below->words[level].load(std::memory_order_relaxed) != 0;
    const std::uint32_t levels = below->levels.load(std::memory_order_relaxed);
    below->levels.store((levels & ~(1U << level)) | std::uint32_t{some} << level, std::memory_order_relaxed);
    LoadNode* const parent = below->parent.load(std::memory_order_relaxed);
    if (parent == nullptr) return;
    const std::uint64_t bit = std::uint64_t{1} << below->digit;
    const std::uint64_t before = parent->words[level].load(std::memory_order_relaxed);
    const std::uint64_t after = some ? before | bit : before & ~bit;
    parent->words[level].store(after, std::memory_order_relaxed);
    if ((before == 0) == (after == 0)) return;
    below = parent;
  }
}

// Brings what says so up to the node's word, and so on up. Each repeat means that another core changed the node
// meanwhile, so some core always comes to an end.
void LoadIndex::tell(LoadNode& node, std::uint32_t level) noexcept {
  follow(node.levels, std::uint32_t{1} << level, node.words[level]);
  LoadNode* const parent = node.parent.load(std::memory_order_seq_cst);
  if (parent == nullptr) return;
  if (follow(parent->words[level], std::uint64_t{1} << node.digit, node.words[level])) tell(*parent, level);
}

// Control set the parent before it asked a core to come here: a core that changes the old root's words from now on
// sees the parent, and what others changed before is seen here (both sequentially consistent).
void LoadIndex::rise(bool alone) noexcept {
  LoadNode* root = root_.load(std::memory_order_acquire);
  while (LoadNode* const parent = root->parent.load(std::memory_order_seq_cst)) {
    for (std::uint32_t level = 0; level < kLoadLevels; ++level) alone ? climb(*root, level) : tell(*root, level);
    if (root_.compare_exchange_strong(root, parent, std::memory_order_acq_rel)) root = parent;
  }
}

LoadNode& LoadIndex::add_node(std::uint32_t height) {
  LoadNode* const made = height == 1 ? static_cast<LoadNode*>(new LoadLeaf) : new LoadInner;
  made->height = static_cast<std::uint8_t>(height);
  LoadNode& node = *nodes_.emplace_back(made);
  node.index = this;
  return node;
}

// Adds what nodes are missing on the way there, each complete before it is linked.
LoadLeaf& LoadIndex::leaf_at(std::uint32_t place) {
  if (top_ == nullptr) {
    top_ = &add_node(1);
    root_.store(top_, std::memory_order_release);
  }
  while (place >= places_below(top_->height)) {
    CHECK(top_->height < kHeightMax);
    auto& above = static_cast<LoadInner&>(add_node(top_->height + 1));
    above.children[0].store(top_, std::memory_order_relaxed);
    top_->parent.store(&above, std::memory_order_seq_cst);
    top_ = &above;
  }
  LoadNode* node = top_;
  while (node->height > 1) {
    const std::uint32_t digit = (place >> shift_of(*node)) % kLoadFanOut;
    std::atomic<LoadNode*>& link = static_cast<LoadInner&>(*node).children[digit];
    LoadNode* child = link.load(std::memory_order_relaxed);
    if (child == nullptr) {
      child = &add_node(node->height - 1);
      child->digit = static_cast<std::uint8_t>(digit);
      child->parent.store(node, std::memory_order_seq_cst);
      link.store(child, std::memory_order_relaxed);
    }
    node = child;
  }
  return static_cast<LoadLeaf&>(*node);
}

std::size_t LoadIndex::bytes() const noexcept {
  std::size_t sum = sizeof(LoadIndex);
  for (const auto& node : nodes_) sum += node->height == 1 ? sizeof(LoadLeaf) : sizeof(LoadInner);
  return sum;
}

void LoadIndex::place(WorkerLine& line, WorkerId id) {
  CHECK(line.leaf == nullptr);
  std::uint32_t place = used_;
  if (vacant_.empty()) {
    ++used_;
  } else {
    std::ranges::pop_heap(vacant_, std::greater<>{});
    place = vacant_.back();
    vacant_.pop_back();
  }
  LoadLeaf& leaf = leaf_at(place);
  leaf.workers[place % kLoadFanOut].store(id, std::memory_order_relaxed);
  line.leaf = &leaf;
  line.place = place;
  ++placed_;
}

void LoadIndex::vacate(WorkerLine& line) {
  CHECK(line.leaf != nullptr && line.leaf->index == this);
  vacant_.push_back(line.place);
  std::ranges::push_heap(vacant_, std::greater<>{});
  line.leaf = nullptr;
  --placed_;
}

}  // namespace mcplane::state
