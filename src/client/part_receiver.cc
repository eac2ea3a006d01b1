// See part_receiver.h.
#include "client/part_receiver.h"

#include <algorithm>

namespace mcplane::client {

PartReceiver::Part PartReceiver::on_part(std::uint16_t number, std::uint64_t now_ns) noexcept {
  const auto ahead = static_cast<std::int16_t>(number - static_cast<std::uint16_t>(next_));
  const std::uint32_t part = next_ + static_cast<std::uint32_t>(ahead);
  if (ahead < 0 || (ahead < static_cast<int>(kWindow) && part < high_ && has(part))) {
    due_now_ = true;
    return {Arrival::kAgain, part};
  }
  if (part >= limit_) return {Arrival::kBeyond, part};
  if (part > high_) due_now_ = true;
  high_ = std::max(high_, part + 1);
  here_[part % kWindow] = true;
  for (; next_ < high_ && has(next_); ++next_) here_[next_ % kWindow] = false;
  if (since_ns_ == kNever) since_ns_ = now_ns;
  // GRANTs cost their path as much as parts do: few, but one before half of a small window is all that is left.
  const std::uint32_t enough = is_open() ? std::min(kWindow / 4, window_ / 2) : kWindow / 4;
  if (next_ - told_ >= enough) due_now_ = true;
  return {Arrival::kNew, part};
}

std::uint64_t PartReceiver::due_ns(std::uint64_t delay_ns) const noexcept {
  if (due_now_) return 0;
  return since_ns_ == kNever ? kNever : since_ns_ + delay_ns;
}

std::size_t PartReceiver::write_grant(std::span<std::byte> datagram) noexcept {
  limit_ = std::max(limit_, next_ + window_);
  wire::Header& header = wire::header_of(datagram);
  wire::set_grant(header, static_cast<std::uint16_t>(next_), static_cast<std::uint16_t>(std::max(next_, limit_)));
  std::uint64_t bits = 0;
  for (std::uint32_t part = next_ + 1; part < high_; ++part)
    if (has(part)) bits |= std::uint64_t{1} << (part - next_ - 1);
  const std::size_t bytes = bits == 0 ? 0 : bits >> 32 == 0 ? 4 : 8;
  std::memcpy(datagram.data() + wire::kLeadBytes, &bits, bytes);
  header.mutate_message_length(static_cast<std::uint32_t>(bytes));
  told_ = next_;
  since_ns_ = kNever;
  due_now_ = false;
  return wire::kLeadBytes + bytes;
}

}  // namespace mcplane::client
