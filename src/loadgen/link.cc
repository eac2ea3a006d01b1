// The next hop is asked for every second until it answers, then every 30 s; between the two it tells of a change by
// itself, with a gratuitous ARP or an unsolicited advertisement. See link.h.
#include "loadgen/link.h"

#include "base/types.h"
#include "wire/checksum.h"
#include "wire/layout.h"
#include "wire/neighbour.h"

namespace mcplane::loadgen {
namespace {

constexpr std::uint64_t kAskAgainNs = kNsPerSecond, kRefreshNs = 30 * kNsPerSecond;

}  // namespace

Link::Link(const LinkOptions& options) : options_(options) {
  local_.ips[local_.count++] = options.address;
  local_.mac = options.mac;
}

std::size_t Link::on_frame(std::span<const std::byte> frame, std::span<std::byte> answer) noexcept {
  const auto claim = wire::read_neighbour_claim(frame, local_);
  if (claim && claim->ip == options_.next_hop && claim->mac && (claim->overrides || !resolved_)) learn(*claim->mac);
  return frame.size() + 32 <= answer.size() ? wire::answer_neighbour_frame(frame, local_, answer) : 0;
}

void Link::learn(const wire::MacAddress& mac) noexcept {
  if (resolved_ && mac == next_hop_mac_) return;
  resolved_ = true;
  next_hop_mac_ = mac;
  headers_ = wire::make_lower_headers(local_.mac, mac, wire::kNoVlan, {options_.address.ip, 0}, {options_.broker, 0});
}

std::size_t Link::write_due(std::uint64_t now_ns, std::span<std::byte> frame) noexcept {
  if (!announced_) {
    announced_ = true;
    ask_ns_ = now_ns;
    return wire::announce(options_.address.ip, local_.mac, frame);
  }
  if (now_ns < ask_ns_) return 0;
  ask_ns_ = now_ns + (resolved_ ? kRefreshNs : kAskAgainNs);
  wire::Question question{.target = options_.next_hop, .source = options_.address.ip, .source_mac = local_.mac};
  if (resolved_) question.to = next_hop_mac_;
  return wire::ask(question, frame);
}

void Link::write_headers(std::byte* frame, std::uint16_t source_port, std::uint16_t destination_port,
                         std::uint16_t datagram_bytes, std::uint16_t datagram_sum) const noexcept {
  const std::uint16_t ports_sum = wire::sum_add(source_port, destination_port);
  wire::write_lower_headers(headers_, frame, datagram_bytes, wire::sum_add(datagram_sum, ports_sum));
  wire::store_be16(frame + headers_.udp_offset, source_port);
  wire::store_be16(frame + headers_.udp_offset + 2, destination_port);
}

}  // namespace mcplane::loadgen
