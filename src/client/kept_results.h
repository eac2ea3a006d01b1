// RESULTs a worker keeps until the broker needs them no more: found by number, as acknowledgements name them, and by
// token and attempt, as a RESEND, a CANCEL or a repeated ROUTE does. Storage comes with use and stays for reuse: an
// engine that is never behind has room for one or two. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/types.h"
#include "client/kept_datagram.h"
#include "client/record_index.h"
#include "wire/address.h"

namespace mcplane::client {

struct KeptResult {
  // Which of its engine's lists it is in.
  enum class Listed : std::uint8_t { kNowhere, kUnsent, kResend, kHeld };

  TaskToken token;
  std::uint32_t number = 0;
  std::uint8_t attempt = 0;
  Listed listed = Listed::kNowhere;
  wire::Endpoint to;
  KeptDatagram datagram;
};

class KeptResults {
 public:
  // A record whose datagram is to be written, of `bytes`. Number and (token, attempt) are new.
  KeptResult& add(TaskToken token, std::uint8_t attempt, std::uint32_t number, std::size_t bytes);
  KeptResult* find(std::uint32_t number) noexcept;
  KeptResult* find(TaskToken token, std::uint8_t attempt) noexcept;
  void erase(const KeptResult& kept) noexcept;
  void clear() noexcept;

  std::size_t size() const noexcept { return records_.size() - free_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }  // of their datagrams
  std::size_t records() const noexcept { return records_.size(); }
  // Names a kept result until its erase(); below records().
  std::uint32_t record_of(const KeptResult& kept) const noexcept {
    return static_cast<std::uint32_t>(&kept - records_.data());
  }
  KeptResult& at(std::uint32_t record) noexcept { return records_[record]; }
  // What the next add() writes to.
  void prefetch() const noexcept {
    if (free_.empty()) return;
    prefetch_to_write(&records_[free_.back()]);
    records_[free_.back()].datagram.prefetch();
  }

 private:
  std::vector<KeptResult> records_;
  std::vector<std::uint32_t> free_;  // last in, first out: the buffer whose lines are warm
  RecordIndex by_number_, by_token_;
  std::size_t bytes_ = 0;
};

}  // namespace mcplane::client
