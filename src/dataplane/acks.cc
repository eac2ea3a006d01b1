// See acks.h. In the common case nothing here sends a frame: a RESULT's acknowledgement leaves with the next ROUTE.
#include "dataplane/acks.h"

#include <algorithm>

#include "dataplane/departure.h"

namespace mcplane::dataplane {

OwedAcks::OwedAcks(std::uint32_t workers) : lines_(workers), due_(workers), capacity_(workers) {}

bool OwedAcks::add(WorkerId worker, SessionId session, std::uint32_t result_number, std::uint32_t now_ms) noexcept {
  // Workers count from 1: take() says 0 for nothing.
  if (result_number == 0) return false;
  Line& line = lines_[raw(worker)];
  if (line.session != session.value) {
    line.session = session.value;
    line.count = 0;
  }
  if (line.count == kPerWorker) return false;
  const std::uint32_t last = line.first + line.count;
  line.entries[last < kPerWorker ? last : last - kPerWorker] = {result_number, now_ms};
  ++line.count;
  if (!line.listed) list(worker, line);
  return true;
}

std::uint32_t OwedAcks::take(WorkerId worker, SessionId session) noexcept {
  Line& line = lines_[raw(worker)];
  if (line.count == 0 || line.session != session.value) return 0;
  const std::uint32_t number = line.entries[line.first].number;
  const bool at_end = --line.count == 0 || line.first + 1U == kPerWorker;  // an empty ring begins in its first line
  line.first = at_end ? 0 : static_cast<std::uint16_t>(line.first + 1U);
  return number;
}

void OwedAcks::list(WorkerId worker, Line& line) noexcept {
  DCHECK(due_count_ < capacity_);
  const std::uint32_t last = due_first_ + due_count_;
  due_[last < capacity_ ? last : last - capacity_] = worker;
  ++due_count_;
  line.listed = true;
}

WorkerId OwedAcks::take_due(std::uint32_t latest_ms) noexcept {
  while (due_count_ > 0) {
    const WorkerId worker = due_[due_first_];
    due_first_ = due_first_ + 1 < capacity_ ? due_first_ + 1 : 0;
    --due_count_;
    Line& line = lines_[raw(worker)];
    line.listed = false;
    if (line.count == 0) continue;
    if (static_cast<std::int32_t>(line.entries[line.first].added_ms - latest_ms) <= 0) return worker;
    list(worker, line);
    return kNoWorker;
  }
  return kNoWorker;
}

void OwedAcks::prefetch_due(std::uint32_t count) const noexcept {
  for (std::uint32_t i = 0, at = due_first_; i < std::min(count, due_count_); ++i) {
    prefetch(due_[at]);
    at = at + 1 < capacity_ ? at + 1 : 0;
  }
}

void AckBatch::add(SessionId to, wire::FrameType answers, std::uint32_t name, std::uint32_t number) noexcept {
  const auto begin = frames_.begin(), end = begin + static_cast<std::ptrdiff_t>(count_);
  const auto open = std::find_if(begin, end, [&](const Frame& frame) {
    return frame.to == to && frame.answers == answers && frame.count < kEntries;
  });
  if (open == end) {
    if (count_ == kFrames) return;  // like one that is lost on its way
    *open = {};
    open->to = to;
    open->answers = answers;
    ++count_;
  }
  open->entries[open->count++] = {name, number};
}

namespace {

// An ACK of `answers` to a session, entry by entry: the first in its header, the others behind it.
class AckWriter {
 public:
  AckWriter(Shard& shard, const Session& to, wire::FrameType answers) noexcept
      : shard_(shard), to_(to), packet_(take_datagram(shard, wire::FrameType::Ack)) {
    if (packet_.buffer() == nullptr) return;
    wire::Header& header = wire::header_of(datagram());
    header.mutate_boot_id(shard.shared.options.boot_id);
    header.mutate_session(to.record.id.value);
    header.mutate_answers(answers);
    if (answers == wire::FrameType::Result) header.mutate_worker_session(to.record.id.value);
  }

  void add(std::uint32_t name, std::uint32_t number) noexcept {
    if (packet_.buffer() == nullptr) return;
    if (length_ > 0) {
      length_ = wire::append_ack_entry(datagram(), length_, name, number);
      return;
    }
    length_ = wire::kLeadBytes;
    wire::Header& header = wire::header_of(datagram());
    if (header.answers() == wire::FrameType::Result) {
      header.mutate_sequence(name);
      header.mutate_reason(static_cast<wire::Reason>(number));
    } else {
      header.mutate_slot(static_cast<std::uint16_t>(name));
      header.mutate_sequence(number);
    }
  }

  // Without a buffer it is like one that is lost on its way.
  void send() noexcept {
    if (packet_.buffer() == nullptr) return;
    shard_.counters.acks_sent.add();
    send_datagram(shard_, packet_, static_cast<std::uint16_t>(length_), to_);
  }

 private:
  std::span<std::byte> datagram() noexcept { return {packet_.data() + kDatagramOffset, kBytesMax}; }

  static constexpr std::size_t kBytesMax = wire::kLeadBytes + AckBatch::kEntries * sizeof(wire::AckEntry);

  Shard& shard_;
  const Session& to_;
  net::Packet packet_;
  std::size_t length_ = 0;
};

void send_owed(Shard& shard, WorkerId worker, const Session& to) noexcept {
  AckWriter ack(shard, to, wire::FrameType::Result);
  while (const std::uint32_t number = shard.owed.take(worker, to.record.id)) ack.add(number, raw(wire::Reason::Ok));
  ack.send();
}

}  // namespace

void send_acks(Shard& shard) noexcept {
  for (const AckBatch::Frame& frame : shard.acks.frames()) {
    const Session* to = shard.sessions.find(frame.to);
    if (to == nullptr) continue;
    AckWriter ack(shard, *to, frame.answers);
    for (const AckBatch::Entry& entry : std::span(frame.entries).first(frame.count)) ack.add(entry.name, entry.number);
    ack.send();
  }
  shard.acks.clear();
  const std::uint32_t latest_ms = shard.now_ms - shard.ack_wait_ms;
  // Among many workers none of this is in a cache: all that are due are fetched, then written to.
  Batch<WorkerId, kOwedPerLoop> due;
  while (due.room() > 0) {
    const WorkerId worker = shard.owed.take_due(latest_ms);
    if (worker == kNoWorker) break;
    shard.sessions.prefetch_towards(shard.owed.session_of(worker));
    due.add() = worker;
  }
  if (due.empty()) return;
  for (const WorkerId worker : due.items())
    if (const Session* to = shard.sessions.find(shard.owed.session_of(worker))) send_owed(shard, worker, *to);
  shard.owed.prefetch_due(kOwedPerLoop);
}

}  // namespace mcplane::dataplane
