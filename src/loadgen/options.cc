// See options.h.
#include "loadgen/options.h"

#include <fmt/format.h>

#include "loadgen/pattern.h"
#include "wire/datagram.h"
#include "wire/header.h"
#include "wire/route_table.h"

namespace mcplane::loadgen {

std::uint64_t prompt_bytes_max(const Options& options, std::uint16_t packet_bytes) {
  const std::size_t ip_bytes = options.broker.ip.is_v4() ? wire::kIpv4Bytes : wire::kIpv6Bytes;
  const std::size_t table_bytes = wire::write_route_table(options.action, "", {}, "").size();
  // A payload grows with its prompt in steps of 4 bytes; measured at a multiple of 4 it is prompt + wrapping.
  const std::size_t wrapping_bytes = PayloadWriter(kPromptBytesMin).payload_bytes() - kPromptBytesMin;
  const std::size_t fixed_bytes = ip_bytes + wire::kUdpBytes + wire::kLeadBytes + table_bytes + wrapping_bytes;
  return packet_bytes > fixed_bytes ? (packet_bytes - fixed_bytes) & ~std::uint64_t{3} : 0;
}

std::string conflict_in(const Options& options) {
  if (options.action.empty() || options.action.size() > wire::kNameBytesMax)
    return fmt::format("--action has {} bytes: type a name of 1 to {}", options.action.size(), wire::kNameBytesMax);
  if (options.arrivals == Arrivals::kPoisson && !options.open_loop()) return "--poisson needs a rate: add --rate 10k/s";
  if (options.service_time.form != ServiceTime::Form::kNone && options.workers == 0)
    return "--service-time is for in-process workers: add --workers 4";
  const std::uint64_t prompt_max = prompt_bytes_max(options, kMtuBytes);
  if (options.prompt_bytes > prompt_max)
    return fmt::format("--payload {}B does not fit one frame with this action: at most {}B", options.prompt_bytes,
                       prompt_max);
  return {};
}

}  // namespace mcplane::loadgen
