// Frames that cores copy (state/capture.h) on their way into a pcap file (libpcap's savefile format, nanoseconds),
// which somebody reads as it grows. One capture at a time, bounded in frames and in time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "state/shared.h"

namespace mcplane::control {

// Bytes between the control thread, which adds, and one reader. What a slow reader leaves is bounded.
class CaptureFile {
 public:
  static constexpr std::size_t kPendingBytesMax = std::size_t{8} << 20;

  CaptureFile();

  // Control. False: too much waits for the reader, or there is none any more.
  bool add(const state::CapturedFrame& frame, std::uint64_t unix_ns);
  void end();

  // Reader. What has come since; waits so long for some. nullopt: it has ended, and all of it was taken.
  std::optional<std::string> take(std::chrono::milliseconds patience);
  // The reader goes.
  void abandon();
  bool abandoned() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::string pending_;
  bool ended_ = false, abandoned_ = false;
};

struct CaptureOrder {
  state::CaptureFilter filter{};
  std::uint64_t frames_max = 0, duration_ns = 0;
  std::uint64_t (*unix_ns)() = nullptr;  // the wall clock
};

class Captures {
 public:
  // Null when one is on.
  std::shared_ptr<CaptureFile> begin(const CaptureOrder& order, state::Shared& shared, std::uint64_t now_ns);
  // Moves what cores have copied into the file, and ends what is over.
  void poll(state::Shared& shared, std::uint64_t now_ns);

  // Of this capture or the last one.
  bool on() const noexcept { return capture_ != nullptr; }
  std::uint64_t frames() const noexcept { return frames_; }
  std::uint64_t missed() const noexcept;  // matched, and there was no room for them

 private:
  void collect();
  void write();

  CaptureOrder order_;
  std::shared_ptr<state::Capture> capture_;  // null: off
  std::shared_ptr<CaptureFile> file_;
  std::vector<state::CapturedFrame> batch_;  // of one poll
  std::uint64_t end_ns_ = 0, frames_ = 0, unread_ = 0, missed_before_ = 0;
  std::uint64_t unix_offset_ns_ = 0;  // of the shards' clock
};

}  // namespace mcplane::control
