// Datagrams of the UDP baseline, and the trains of them that one system call moves: with UDP_SEGMENT the kernel cuts a
// train up on its way out, with UDP_GRO it hands one over whole, and on loopback it never cuts it at all.
//
//   0      4      8
//   | kind | client | payload ...       integers in the machine's order: loopback only
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "client/datagram_train.h"

namespace mcplane::peers {

using client::cut_into, client::SegmentControl, client::kTrainBytesMax, client::kTrainSegmentsMax;

enum class Kind : std::uint32_t { kRegister, kRequest, kAnswer };

struct Head {
  Kind kind;
  std::uint32_t client;  // the broker's number of it; set and read by the broker only
};
static_assert(sizeof(Head) == 8);

inline constexpr std::size_t kTrainBufferBytes = 65'536;  // no train is longer

// Datagrams that arrived together: all `segment_bytes` long but the last, which may be shorter.
struct Train {
  std::span<char> bytes;
  std::size_t segment_bytes;
  sockaddr_in from;
};

// A socket bound to 127.0.0.1:port that takes trains; port 0 means any.
int udp_socket(std::uint16_t port, int type_flags);

// Room for trains, read with one recvmmsg.
class TrainReader {
 public:
  explicit TrainReader(std::size_t trains_max);

  // At most `limit` trains, valid until the next call; none when a non-blocking socket has none. A blocking socket
  // waits for the first.
  std::span<const Train> read(int fd, std::size_t limit);

 private:
  using Control = std::array<char, CMSG_SPACE(sizeof(int))>;
  std::vector<char> buffers_;
  std::vector<Control> controls_;
  std::vector<sockaddr_in> addresses_;
  std::vector<iovec> parts_;
  std::vector<mmsghdr> messages_;
  std::vector<Train> trains_;
};

}  // namespace mcplane::peers
