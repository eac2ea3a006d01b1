// The bar that kernel sockets set: a broker over UDP with as little in it as there can be. Workers register; a request
// goes to the worker with the fewest outstanding, its answer to the client that asked. Datagrams are forwarded from the
// buffers they arrived in, those for one destination as trains, all of them with one system call a turn.
// What it does not do: bound what a worker holds, notice dead workers, repeat what is lost, expire, keep duplicates
// away, or tell a stranger's answer from a worker's. One thread.
//
// Usage: udp_broker PORT [--fault lose|corrupt|swap|repeat]    spoils every thousandth answer, for tests of the load
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "datagram.h"
#include "event_loop.h"

namespace {

using namespace mcplane::peers;

constexpr std::size_t kTrainsMax = 64;
constexpr std::uint64_t kFaultEvery = 1000;

enum class Fault { kNone, kLose, kCorrupt, kSwap, kRepeat };

struct Destination {
  sockaddr_in address;
  std::uint32_t outstanding = 0;
  std::vector<iovec> waiting;  // datagrams for it, in the reader's buffers
};

class Broker {
 public:
  Broker(int fd, Fault fault) : fd_(fd), fault_(fault), reader_(kTrainsMax) {}

  [[noreturn]] void run() {
    for (;;) {
      for (const Train& train : reader_.read(fd_, kTrainsMax)) take(train);
      send_waiting();
    }
  }

 private:
  void take(const Train& train) {
    const std::size_t from = index_of(train.from);
    for (std::size_t at = 0; at + sizeof(Head) <= train.bytes.size(); at += train.segment_bytes) {
      const std::size_t bytes = std::min(train.segment_bytes, train.bytes.size() - at);
      take_datagram(from, train.bytes.subspan(at, bytes));
    }
  }

  void take_datagram(std::size_t from, std::span<char> datagram) {
    Head head;
    std::memcpy(&head, datagram.data(), sizeof head);
    switch (head.kind) {
      case Kind::kRegister:
        workers_.push_back(from);
        return forward(from, datagram);
      case Kind::kRequest:
        if (workers_.empty()) return;
        head.client = static_cast<std::uint32_t>(from);
        std::memcpy(datagram.data(), &head, sizeof head);
        return forward(take_worker(), datagram);
      case Kind::kAnswer:
        if (head.client >= destinations_.size()) return;
        --destinations_[from].outstanding;
        return answer(head.client, datagram);
    }
  }

  std::size_t take_worker() {
    const std::size_t least = *std::ranges::min_element(
        workers_, {}, [this](std::size_t worker) { return destinations_[worker].outstanding; });
    ++destinations_[least].outstanding;
    return least;
  }

  void answer(std::size_t client, std::span<char> datagram) {
    if (fault_ == Fault::kNone || ++answers_ % kFaultEvery != 0) return forward(client, datagram);
    spoil(client, datagram);
  }

  void spoil(std::size_t client, std::span<char> datagram) {
    switch (fault_) {
      case Fault::kCorrupt:
        datagram.back() ^= 1;
        return forward(client, datagram);
      case Fault::kRepeat:
        forward(client, datagram);
        return forward(client, datagram);
      case Fault::kSwap:
        return swap(client, datagram);
      case Fault::kLose:
      case Fault::kNone:
        return;
    }
  }

  // Keeps one answer and, at the next call, exchanges the two.
  void swap(std::size_t client, std::span<char> datagram) {
    if (kept_.empty()) {
      kept_.assign(datagram.begin(), datagram.end());
      kept_client_ = client;
      return;
    }
    forward(kept_client_, datagram);
    forward(client, kept_);
    send_waiting();
    kept_.clear();
  }

  void forward(std::size_t to, std::span<char> datagram) {
    Destination& destination = destinations_[to];
    if (destination.waiting.empty()) waiting_.push_back(to);
    destination.waiting.push_back({datagram.data(), datagram.size()});
  }

  std::size_t index_of(const sockaddr_in& address) {
    const std::uint64_t key = std::uint64_t{address.sin_addr.s_addr} << 16 | address.sin_port;
    const auto [found, added] = index_.try_emplace(key, destinations_.size());
    if (added) destinations_.push_back({address, 0, {}});
    return found->second;
  }

  void send_waiting() {
    for (const std::size_t to : waiting_) cut_trains(destinations_[to]);
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      msghdr& message = messages_[i].msg_hdr;
      if (message.msg_iovlen > 1) cut_into(message, controls_[i], message.msg_iov[0].iov_len);
    }
    for (std::size_t sent = 0; sent < messages_.size();) {
      const int count = sendmmsg(fd_, &messages_[sent], static_cast<unsigned>(messages_.size() - sent), 0);
      // A peer that left: its datagrams are of no use any more.
      sent += count > 0 ? static_cast<std::size_t>(count) : 1;
    }
    for (const std::size_t to : waiting_) destinations_[to].waiting.clear();
    waiting_.clear();
    messages_.clear();
  }

  // Messages for all that waits for one destination; a train's datagrams are of one size.
  void cut_trains(Destination& destination) {
    std::vector<iovec>& parts = destination.waiting;
    for (std::size_t start = 0, end = 0; start < parts.size(); start = end) {
      const std::size_t bytes = parts[start].iov_len;
      const std::size_t most = std::min(kTrainSegmentsMax, std::max<std::size_t>(1, kTrainBytesMax / bytes));
      for (end = start; end < parts.size() && end - start < most && parts[end].iov_len == bytes; ++end) continue;
      mmsghdr& message = messages_.emplace_back();
      message.msg_hdr.msg_name = &destination.address;
      message.msg_hdr.msg_namelen = sizeof destination.address;
      message.msg_hdr.msg_iov = &parts[start];
      message.msg_hdr.msg_iovlen = end - start;
    }
    if (controls_.size() < messages_.size()) controls_.resize(messages_.size());
  }

  int fd_;
  Fault fault_;
  TrainReader reader_;
  std::vector<Destination> destinations_;
  std::unordered_map<std::uint64_t, std::size_t> index_;  // by address and port
  std::vector<std::size_t> workers_, waiting_;
  std::vector<mmsghdr> messages_;
  std::vector<SegmentControl> controls_;
  std::uint64_t answers_ = 0;
  std::vector<char> kept_;
  std::size_t kept_client_ = 0;
};

bool read_fault(std::string_view name, Fault& fault) {
  constexpr std::pair<std::string_view, Fault> kNames[] = {
      {"lose", Fault::kLose}, {"corrupt", Fault::kCorrupt}, {"swap", Fault::kSwap}, {"repeat", Fault::kRepeat}};
  const auto found = std::ranges::find(kNames, name, &std::pair<std::string_view, Fault>::first);
  if (found == std::end(kNames)) return false;
  fault = found->second;
  return true;
}

bool read_port(std::string_view text, std::uint16_t& port) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  Fault fault = Fault::kNone;
  const bool with_fault = argc == 4 && std::string_view(argv[2]) == "--fault" && read_fault(argv[3], fault);
  if (!(argc == 2 || with_fault) || !read_port(argv[1], port)) {
    std::fputs("usage: udp_broker PORT [--fault lose|corrupt|swap|repeat]\n", stderr);
    return 2;
  }
  try {
    Broker(udp_socket(port, 0), fault).run();
  } catch (const Failure& failure) {
    std::fprintf(stderr, "udp_broker: %s\n", failure.what());
    return 1;
  }
}
