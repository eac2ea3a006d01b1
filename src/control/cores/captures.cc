// See captures.h. Cores have one clock, and say in every loop what it shows (ShardShared::loop_ns), at most a loop
// late: the least difference from the wall clock is the best one.
#include "control/cores/captures.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace mcplane::control {
namespace {

template <class T>
void append(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) bytes.push_back(static_cast<char>(value >> 8 * i & 0xff));
}

std::string file_header() {
  constexpr std::uint32_t kNanoseconds = 0xa1b23c4d, kEthernet = 1;
  std::string header;
  append<std::uint32_t>(header, kNanoseconds);
  append<std::uint16_t>(header, 2);  // version 2.4
  append<std::uint16_t>(header, 4);
  append<std::uint64_t>(header, 0);  // time zone and accuracy: unused
  append<std::uint32_t>(header, state::CapturedFrame::kBytesMax);
  append<std::uint32_t>(header, kEthernet);
  return header;
}

}  // namespace

CaptureFile::CaptureFile() : pending_(file_header()) {}

bool CaptureFile::add(const state::CapturedFrame& frame, std::uint64_t unix_ns) {
  const std::lock_guard lock(mutex_);
  if (abandoned_ || pending_.size() >= kPendingBytesMax) return false;
  append(pending_, static_cast<std::uint32_t>(unix_ns / kNsPerSecond));
  append(pending_, static_cast<std::uint32_t>(unix_ns % kNsPerSecond));
  append(pending_, std::uint32_t{frame.captured});
  append(pending_, std::uint32_t{frame.length});
  pending_.append(reinterpret_cast<const char*>(frame.bytes.data()), frame.captured);
  changed_.notify_one();
  return true;
}

void CaptureFile::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_one();
}

std::optional<std::string> CaptureFile::take(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return ended_ || !pending_.empty(); });
  if (ended_ && pending_.empty()) return std::nullopt;
  return std::exchange(pending_, {});
}

void CaptureFile::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
}

bool CaptureFile::abandoned() const {
  const std::lock_guard lock(mutex_);
  return abandoned_;
}

std::shared_ptr<CaptureFile> Captures::begin(const CaptureOrder& order, state::Shared& shared, std::uint64_t now_ns) {
  if (on()) return nullptr;
  order_ = order;
  end_ns_ = now_ns + order.duration_ns;
  frames_ = unread_ = missed_before_ = 0;
  unix_offset_ns_ = ~std::uint64_t{0};
  file_ = std::make_shared<CaptureFile>();
  capture_ = std::make_shared<state::Capture>(order.filter, shared.shards.size());
  shared.set_capture(capture_);
  return file_;
}

std::uint64_t Captures::missed() const noexcept {
  std::uint64_t missed = missed_before_ + unread_;
  if (on())
    for (const auto& lane : capture_->lanes) missed += lane->missed.read();
  return missed;
}

void Captures::poll(state::Shared& shared, std::uint64_t now_ns) {
  if (!on()) return;
  std::uint64_t shards_ns = 0;
  for (const auto& shard : shared.shards)
    shards_ns = std::max(shards_ns, shard->loop_ns.load(std::memory_order_relaxed));
  unix_offset_ns_ = std::min(unix_offset_ns_, order_.unix_ns() - shards_ns);
  collect();
  write();
  if (now_ns < end_ns_ && frames_ < order_.frames_max && !file_->abandoned()) return;
  shared.set_capture(nullptr);
  missed_before_ = missed() - unread_;
  capture_.reset();
  batch_ = {};
  file_->end();
}

void Captures::collect() {
  batch_.resize(capture_->lanes.size() * state::Capture::kSlots);
  std::size_t count = 0;
  for (const auto& lane : capture_->lanes)
    count += lane->frames.pop(std::span(batch_).subspan(count, state::Capture::kSlots));
  batch_.resize(count);
}

// In the order of their times, over all cores.
void Captures::write() {
  std::vector<std::size_t> order(batch_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [this](std::size_t i) { return batch_[i].at_ns; });
  for (const std::size_t i : order) {
    if (frames_ == order_.frames_max) return;
    if (file_->add(batch_[i], unix_offset_ns_ + batch_[i].at_ns))
      ++frames_;
    else
      ++unread_;
  }
}

}  // namespace mcplane::control
