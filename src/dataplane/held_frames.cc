// See held_frames.h.
#include "dataplane/held_frames.h"

#include <algorithm>
#include <bit>

#include "base/random.h"

namespace mcplane::dataplane {
namespace {

constexpr std::uint32_t kNone = HeldFrame::kNone;
// Virtual time between two turns of a class, the most urgent first.
constexpr std::array<std::uint32_t, wire::kPriorities> kStrides = {1, 4, 16, 64};
constexpr std::uint32_t kShareOfFree = 4;

// Serial-number arithmetic.
bool before(std::uint32_t a, std::uint32_t b) noexcept { return static_cast<std::int32_t>(a - b) < 0; }

// Of those that have waiters; of equal ones the more urgent.
std::size_t next_class(const WaitingLines& lines) noexcept {
  std::size_t next = wire::kPriorities;
  for (std::size_t i = 0; i < wire::kPriorities; ++i)
    if (lines.classes[i].frames > 0 &&
        (next == wire::kPriorities || before(lines.classes[i].at, lines.classes[next].at)))
      next = i;
  DCHECK(next < wire::kPriorities);
  return next;
}

}  // namespace

HeldFrames::HeldFrames(std::uint32_t capacity)
    : frames_(new HeldFrame[capacity]),
      flows_(new Flow[capacity]),
      capacity_(capacity),
      bucket_mask_(std::bit_ceil(std::max(1U, capacity)) - 1) {
  buckets_.reset(new std::uint32_t[std::size_t{bucket_mask_} + 1]);
  std::fill_n(buckets_.get(), std::size_t{bucket_mask_} + 1, kNone);
  for (std::uint32_t i = capacity; i > 0; --i) {
    frames_[i - 1].next = std::exchange(free_frame_, i - 1);
    flows_[i - 1].next = std::exchange(free_flow_, i - 1);
  }
}

// The broker chose each part of a name, so any mix will do.
std::uint32_t& HeldFrames::bucket_of(const FlowName& name) const noexcept {
  const std::uint64_t flat = std::uint64_t{name.client.value} << 32 | std::uint32_t{name.route} << 8 | name.priority;
  return buckets_[mix64(flat) & bucket_mask_];
}

std::uint32_t HeldFrames::find(const FlowName& name) const noexcept {
  std::uint32_t index = bucket_of(name);
  while (index != kNone && flows_[index].name != name) index = flows_[index].chained;
  return index;
}

std::uint32_t HeldFrames::waiting(const FlowName& name) const noexcept {
  const std::uint32_t index = find(name);
  return index == kNone ? 0 : flows_[index].frames;
}

bool HeldFrames::has_room(std::uint32_t waiting) const noexcept {
  return !full() && waiting < std::uint64_t{kShareOfFree} * (capacity_ - size_);
}

// Behind all others of its class, each of which has its turn first.
std::uint32_t HeldFrames::add_flow(WaitingLines& lines, const FlowName& name) noexcept {
  const std::uint32_t index = free_flow_;
  free_flow_ = flows_[index].next;
  Flow& flow = flows_[index] = Flow{.name = name};
  flow.chained = std::exchange(bucket_of(name), index);
  WaitingClass& line = lines.classes[name.priority];
  if (line.flows++ == 0) {
    flow.next = flow.previous = line.turn = index;
    // Time it had no use for is not saved up.
    line.at = lines.now + kStrides[name.priority];
    return index;
  }
  flow.next = line.turn;
  flow.previous = std::exchange(flows_[line.turn].previous, index);
  flows_[flow.previous].next = index;
  return index;
}

void HeldFrames::remove_flow(WaitingClass& line, std::uint32_t index) noexcept {
  Flow& flow = flows_[index];
  std::uint32_t* link = &bucket_of(flow.name);
  while (*link != index) link = &flows_[*link].chained;
  *link = flow.chained;
  flows_[flow.previous].next = flow.next;
  flows_[flow.next].previous = flow.previous;
  if (line.turn == index) line.turn = flow.next;
  if (--line.flows == 0) line.turn = kNone;
  flow.next = std::exchange(free_flow_, index);
}

std::uint32_t HeldFrames::push(WaitingLines& lines, const FlowName& name, HeldFrame frame) noexcept {
  DCHECK(!full());
  const std::uint32_t index = free_frame_;
  free_frame_ = frames_[index].next;
  HeldFrame& held = frames_[index] = std::move(frame);
  const std::uint32_t found = find(name);
  held.flow = found != kNone ? found : add_flow(lines, name);
  Flow& flow = flows_[held.flow];
  held.next = kNone;
  held.previous = std::exchange(flow.tail, index);
  (held.previous == kNone ? flow.head : frames_[held.previous].next) = index;
  ++flow.frames;
  ++lines.classes[name.priority].frames;
  ++lines.frames;
  ++size_;
  return index;
}

std::uint32_t HeldFrames::front(const WaitingLines& lines) const noexcept {
  return flows_[lines.classes[next_class(lines)].turn].head;
}

HeldFrame HeldFrames::take_front(WaitingLines& lines) noexcept {
  const std::size_t urgency = next_class(lines);
  WaitingClass& line = lines.classes[urgency];
  lines.now = line.at;
  line.at += kStrides[urgency];
  const Flow& flow = flows_[line.turn];
  line.turn = flow.next;
  return take(lines, flow.head);
}

HeldFrame HeldFrames::take(WaitingLines& lines, std::uint32_t index) noexcept {
  HeldFrame frame = std::exchange(frames_[index], HeldFrame{});
  Flow& flow = flows_[frame.flow];
  (frame.previous == kNone ? flow.head : frames_[frame.previous].next) = frame.next;
  (frame.next == kNone ? flow.tail : frames_[frame.next].previous) = frame.previous;
  frames_[index].next = std::exchange(free_frame_, index);
  WaitingClass& line = lines.classes[flow.name.priority];
  if (--flow.frames == 0) remove_flow(line, frame.flow);
  --line.frames;
  --lines.frames;
  --size_;
  return frame;
}

}  // namespace mcplane::dataplane
