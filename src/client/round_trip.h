// A round trip and how much it varies, smoothed over the samples there were (RFC 6298, 2). One thread.
#pragma once

#include <cstdint>

namespace mcplane::client {

struct RoundTrip {
  std::uint64_t srtt_ns = 0, rttvar_ns = 0;  // 0: nothing measured

  void sample(std::uint64_t rtt_ns) noexcept {
    if (srtt_ns == 0) {
      srtt_ns = rtt_ns;
      rttvar_ns = rtt_ns / 2;
      return;
    }
    const std::uint64_t error_ns = srtt_ns > rtt_ns ? srtt_ns - rtt_ns : rtt_ns - srtt_ns;
    rttvar_ns = (3 * rttvar_ns + error_ns) / 4;
    srtt_ns = (7 * srtt_ns + rtt_ns) / 8;
  }
};

}  // namespace mcplane::client
