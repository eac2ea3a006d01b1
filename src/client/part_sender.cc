// See part_sender.h.
#include "client/part_sender.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "wire/retransmission.h"

namespace mcplane::client {
namespace {

constexpr std::uint32_t kReordered = 3;  // parts behind one that comes late
// Four hops lose more than one; that the session lives says that it is not all of them.
constexpr std::uint32_t kDoublingsMax = 2;
// A task that waits for a worker gets no GRANT: its part 0 goes again ever more rarely, each time after that share of
// the time it has waited.
constexpr std::uint64_t kWaitedShare = 8;
constexpr std::uint64_t kReorderedNsMin = kNsPerMs;
constexpr std::uint16_t kLimitMax = 1'024;  // parts beyond the next

bool is_set(std::span<const std::byte> bitmap, std::size_t bit) noexcept {
  return (bitmap[bit / 8] >> (bit % 8) & std::byte{1}) != std::byte{};
}

}  // namespace

void PartSender::begin_again() noexcept {
  acknowledged_ = sent_ = high_ = limit_ = 1;
  lost_ = probes_ = 0;
}

std::uint32_t PartSender::take_next(std::uint64_t now_ns) noexcept {
  if (lost_ > 0)
    for (std::uint32_t part = acknowledged_; part < sent_; ++part) {
      Flight& lost = flight(part);
      if (!lost.lost) continue;
      lost = {.sent_ns = now_ns, .again = true};
      --lost_;
      return part;
    }
  if (sent_ >= end()) return kNone;
  flight(sent_) = {.sent_ns = now_ns};
  news_ns_ = now_ns;
  return sent_++;
}

std::uint64_t PartSender::due_ns(std::uint64_t pto_ns) const noexcept {
  if (planted(PlantedBug::kNeverProbe)) return kNever;
  const bool waits = acknowledged_ < sent_ || (sent_ > 0 && sent_ < made_);
  if (!waits) return kNever;
  const std::uint64_t waited_ns = sent_ == 1 ? news_ns_ - flights_[0].sent_ns : 0;
  const std::uint64_t wait_ns = wire::backed_off(pto_ns + round_trip_.srtt_ns, std::min(probes_, kDoublingsMax));
  return news_ns_ + std::max(wait_ns, waited_ns / kWaitedShare);
}

std::uint32_t PartSender::take_probe(std::uint64_t now_ns) noexcept {
  ++probes_;
  news_ns_ = now_ns;
  flight(sent_ - 1).again = true;
  return sent_ - 1;
}

bool PartSender::note_here(std::uint32_t part, std::uint64_t now_ns) noexcept {
  Flight& found = flight(part);
  const bool news = !found.here;
  if (found.lost) --lost_;
  if (!found.here && !found.again) round_trip_.sample(now_ns - found.sent_ns);
  found.lost = false;
  found.here = true;
  high_ = std::max(high_, part + 1);
  return news;
}

bool PartSender::on_grant(std::uint16_t next, std::uint16_t limit, std::span<const std::byte> bitmap,
                          std::uint64_t now_ns, std::uint64_t pto_ns) noexcept {
  const auto ahead = static_cast<std::uint16_t>(next - static_cast<std::uint16_t>(acknowledged_));
  const auto room = static_cast<std::uint16_t>(limit - next);
  if (ahead > sent_ - acknowledged_ || room > kLimitMax) return false;
  bool news = false;
  for (const std::uint32_t from = acknowledged_; acknowledged_ < from + ahead; ++acknowledged_)
    news |= note_here(acknowledged_, now_ns);
  news |= acknowledged_ + room > limit_;
  limit_ = std::max(limit_, acknowledged_ + room);
  for (std::size_t bit = 0; bit < bitmap.size() * 8 && acknowledged_ + 1 + bit < sent_; ++bit)
    if (is_set(bitmap, bit)) news |= note_here(acknowledged_ + 1 + static_cast<std::uint32_t>(bit), now_ns);
  // A receiver that lacks parts says again what it said: the probe that would bring them must not wait for that.
  if (news) {
    news_ns_ = now_ns;
    probes_ = 0;
  }
  find_lost(now_ns, pto_ns);
  return true;
}

void PartSender::find_lost(std::uint64_t now_ns, std::uint64_t pto_ns) noexcept {
  const std::uint64_t round_trip_ns = round_trip_.srtt_ns + std::max(4 * round_trip_.rttvar_ns, kReorderedNsMin);
  for (std::uint32_t part = acknowledged_; part + 1 < high_; ++part) {
    Flight& out = flight(part);
    if (out.here || out.lost) continue;
    const std::uint64_t wait_ns = part + kReordered < high_ ? round_trip_ns : pto_ns + round_trip_.srtt_ns;
    if (out.sent_ns + wait_ns > now_ns) continue;
    out.lost = true;
    ++lost_;
  }
}

}  // namespace mcplane::client
