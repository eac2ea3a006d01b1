// DPDK's environment, a TAP port and its two queues against the kernel's UDP stack, in a namespace made by in_netns.
// The lcores answer each datagram with its bytes and a 4-byte mark put before them, by turns in the received
// buffer, grown into its headroom, and in a fresh one.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "net/dpdk/eal.h"
#include "net/dpdk/port.h"

namespace mcplane::net {
namespace {

constexpr const char* kInterface = "mctest0";
constexpr const char* kSharingInterface = "mctest1";
constexpr const char* kMacOfPort = "02:00:00:00:00:42";
constexpr std::uint32_t kBuffers = 8191;
constexpr std::size_t kEthernet = 14, kIp = 20, kUdp = 8, kHeaders = kEthernet + kIp + kUdp, kMark = 4;

std::vector<unsigned> two_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof(set), &set);
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE && cpus.size() < 2; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  if (cpus.size() == 1) cpus.push_back(cpus[0]);
  return cpus;
}

std::string error_of(auto make) {
  try {
    make();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

// EAL starts once a process, so all tests share one.
std::unique_ptr<Eal> eal;

void store16(std::span<std::byte> bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value);
}

bool is_udp_over_ipv4(std::span<const std::byte> frame) {
  return frame.size() >= kHeaders && frame[12] == std::byte{8} && frame[13] == std::byte{0} &&
         frame[kEthernet] == std::byte{0x45} && frame[kEthernet + 9] == std::byte{17};
}

// `frame` starts with kMark bytes of anything, then the received frame.
void turn_into_answer(std::span<std::byte> frame) {
  std::memmove(frame.data(), frame.data() + kMark, kHeaders);
  std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
  const auto ip = frame.subspan(kEthernet);
  std::swap_ranges(ip.begin() + 12, ip.begin() + 16, ip.begin() + 16);
  store16(ip, 2, ip.size());
  store16(ip, 10, 0);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < kIp; i += 2)
    sum += std::to_integer<std::uint32_t>(ip[i]) << 8 | std::to_integer<std::uint32_t>(ip[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store16(ip, 10, ~sum & 0xffff);
  const auto udp = ip.subspan(kIp);
  std::swap_ranges(udp.begin(), udp.begin() + 2, udp.begin() + 2);
  store16(udp, 4, udp.size());
  store16(udp, 6, 0);
  std::ranges::copy(std::as_bytes(std::span("echo", kMark)), udp.begin() + kUdp);
}

void answer_until(const std::atomic<bool>& stop, DpdkNic nic) {
  std::array<Packet, 96> packets;
  bool in_place = true;
  while (!stop.load(std::memory_order_acquire)) {  // pairs with the main thread's release store
    const std::uint16_t received = nic.rx_burst(packets);
    for (Packet& packet : std::span(packets).first(received)) {
      std::array<Packet, 2> answer;
      if (is_udp_over_ipv4(packet.bytes()) && packet.headroom() == kHeadroomBytes) {
        packet.move_start(-int{kMark});
        if (in_place) {
          std::swap(packet, answer[0]);
        } else if (nic.allocate(std::span(answer).first(1))) {
          answer[0].set_length(packet.length());
          std::ranges::copy(packet.bytes(), answer[0].data());
        }
        in_place = !in_place;
      }
      if (answer[0].buffer() != nullptr) {
        turn_into_answer(answer[0].bytes());
        if (nic.tx_burst(std::span(answer).first(1)) == 0) nic.free(answer);
      }
    }
    nic.free(std::span(packets).first(received));
  }
}

int run(const std::string& command) { return std::system(command.c_str()); }

class UdpSocket {
 public:
  UdpSocket() : fd_(socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(4000);
    inet_pton(AF_INET, "10.77.0.2", &peer.sin_addr);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0;
  }
  ~UdpSocket() { close(fd_); }
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  bool connected() const { return connected_; }
  // What the port answers, or "" after a second.
  std::string ask(const std::string& question) {
    if (send(fd_, question.data(), question.size(), 0) != static_cast<ssize_t>(question.size())) return "";
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, 1000) != 1) return "";
    std::string answer(2000, '\0');
    answer.resize(static_cast<std::size_t>(std::max<ssize_t>(0, recv(fd_, answer.data(), answer.size(), 0))));
    return answer;
  }

 private:
  int fd_;
  bool connected_;
};

TEST(DpdkTap, AnswersTheKernelAndReturnsEveryBuffer) {
  std::atomic<bool> stop{false};
  {
    DpdkPool pool({.buffers = kBuffers});
    DpdkPort port({.device = "net_tap0", .id = PortId{5}, .queues = 2, .rx_descriptors = 256}, pool);
    EXPECT_EQ(port.mac(), (wire::MacAddress{2, 0, 0, 0, 0, 0x42}));
    EXPECT_EQ(pool.buffers_total(), kBuffers);
    const std::uint32_t baseline = pool.buffers_free();
    for (std::uint16_t core = 0; core < 2; ++core)
      eal->launch(core, [&stop, &port, core] { answer_until(stop, DpdkNic(port, core)); });
    EXPECT_TRUE(port.link_up());

    const std::string device = kInterface;
    ASSERT_EQ(run("ip addr add 10.77.0.1/24 dev " + device), 0);
    ASSERT_EQ(run("ip neigh replace 10.77.0.2 lladdr " + std::string(kMacOfPort) + " dev " + device), 0);
    // Sockets hash to queues by their port; eight reach both with near certainty.
    for (int flow = 0; flow < 8; ++flow) {
      UdpSocket socket;
      ASSERT_TRUE(socket.connected());
      for (const std::size_t bytes : {1U, 2U, 63U, 500U, 1467U, 1468U}) {
        std::string question(bytes, '\0');
        for (std::size_t i = 0; i < bytes; ++i) question[i] = static_cast<char>(i + bytes);
        ASSERT_EQ(socket.ask(question), "echo" + question) << bytes;
      }
    }
    stop.store(true, std::memory_order_release);
    eal->join();

    EXPECT_GE(port.statistics().rx_frames, 48U);
    EXPECT_GE(port.statistics().tx_frames, 48U);
    EXPECT_EQ(port.statistics().tx_errors, 0U);
    EXPECT_EQ(pool.buffers_free(), baseline);

    DpdkNic nic(port, 0);
    std::vector<Packet> all(baseline + 1);
    EXPECT_FALSE(nic.allocate(all));
    EXPECT_TRUE(std::ranges::all_of(all, [](const Packet& packet) { return packet.buffer() == nullptr; }));
    EXPECT_EQ(pool.buffers_free(), baseline);
    // Buffers that hold nothing yet, as the contract has them, however long the span.
    ASSERT_TRUE(nic.allocate(std::span(all).first(200)));
    for (const Packet& packet : std::span(all).first(200)) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(packet.data()) % 64, 0U);
      EXPECT_EQ(packet.length(), 0);
      EXPECT_EQ(packet.headroom(), kHeadroomBytes);
      EXPECT_EQ(packet.port(), PortId{5});
    }
    EXPECT_EQ(pool.buffers_free(), baseline - 200);
    nic.free(all);
    EXPECT_EQ(pool.buffers_free(), baseline);
  }
  EXPECT_EQ(if_nametoindex(kInterface), 0U) << "the interface outlives its port";
}

// Frames that begin in buffers of their own and share a tail, as the kernel sees them.
TEST(DpdkTap, FramesThatShareATailArriveWhole) {
  DpdkPool pool({.buffers = kBuffers});
  DpdkPort port({.device = "net_tap1", .sharing = Sharing::kUnlessSlower}, pool);
  ASSERT_TRUE(port.sends_tails());
  const std::uint32_t baseline = pool.buffers_free();
  const int kernel = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(kSharingInterface));
  ASSERT_EQ(bind(kernel, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);

  DpdkNic nic(port, 0);
  std::array<Packet, 4> packets;
  ASSERT_TRUE(nic.allocate(packets));
  Packet& tail = packets[3];
  tail.set_length(1'000);
  std::ranges::fill(tail.bytes(), std::byte{'t'});
  tail.move_start(100);
  const auto heads = std::span(packets).first(3);
  for (Packet& head : heads) {
    head.set_length(60);
    std::ranges::fill(head.bytes(), std::byte{0x88});  // an EtherType of no protocol
    head.set_tail(tail);
  }
  nic.share(tail, 3);
  EXPECT_TRUE(std::ranges::equal(DpdkNic::tail_of(heads[0]), tail.bytes()));
  ASSERT_EQ(nic.tx_burst(heads.first(2)), 2);
  nic.free(std::span(packets).last(2));
  for (int frame = 0; frame < 2;) {
    pollfd wait{kernel, POLLIN, 0};
    ASSERT_EQ(poll(&wait, 1, 1000), 1);
    std::array<unsigned char, 2'000> bytes;
    const ssize_t length = recv(kernel, bytes.data(), bytes.size(), 0);
    if (bytes[0] != 0x88) continue;  // the kernel's own
    ASSERT_EQ(length, 960);
    EXPECT_TRUE(std::all_of(bytes.begin(), bytes.begin() + 60, [](unsigned char byte) { return byte == 0x88; }));
    EXPECT_TRUE(std::all_of(bytes.begin() + 60, bytes.begin() + 960, [](unsigned char byte) { return byte == 't'; }));
    ++frame;
  }
  close(kernel);
  EXPECT_EQ(pool.buffers_free(), baseline);
}

TEST(DpdkTap, ALaunchedFunctionRunsOffTheCallersThread) {
  const pid_t here = gettid();
  std::array<pid_t, 2> there{};
  std::array<unsigned, 2> cpu{};
  for (std::size_t core = 0; core < 2; ++core)
    eal->launch(core,
                [&there, &cpu, core] { there[core] = gettid(), cpu[core] = static_cast<unsigned>(sched_getcpu()); });
  eal->join();
  EXPECT_NE(there[0], here);
  EXPECT_NE(there[1], here);
  EXPECT_NE(there[0], there[1]);
  EXPECT_EQ(cpu[0], two_cpus()[0]);
  EXPECT_EQ(cpu[1], two_cpus()[1]);
}

TEST(DpdkTap, ClockFollowsTheKernels) {
  const auto kernel_now_ns = [] {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(now.tv_nsec);
  };
  const std::uint64_t kernel_start = kernel_now_ns(), start = tsc_now_ns();
  std::uint64_t last = start;
  while (kernel_now_ns() - kernel_start < 100 * kNsPerMs) {
    const std::uint64_t now = tsc_now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
  const auto elapsed = static_cast<double>(tsc_now_ns() - start);
  EXPECT_NEAR(elapsed / static_cast<double>(kernel_now_ns() - kernel_start), 1.0, 0.01);
}

TEST(DpdkTap, AWrongPortIsOneLineThatSaysWhy) {
  DpdkPool pool({.buffers = kBuffers});
  const auto refused = [&](const PortOptions& options) { return error_of([&] { DpdkPort(options, pool); }); };
  EXPECT_EQ(refused({.device = "net_tap7"}), "port net_tap7: there is no such device");
  EXPECT_NE(refused({.device = "net_tap2", .queues = 17}).find("17 queues asked for; it has 16"), std::string::npos);
  EXPECT_NE(error_of([] { DpdkPool({.buffers = 10'000'000}); }).find("no memory for 10000000 packet buffers"),
            std::string::npos);
}

int test_main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (geteuid() != 0 || access("/dev/net/tun", R_OK | W_OK) != 0) {
    std::fputs("skipped: a TAP interface needs root and /dev/net/tun\n", stderr);
    return 77;
  }
  if (error_of([] { Eal({.cores = {9999}}); }).find("CPU 9999 is not available") == std::string::npos) return 1;
  // The kernel's side gets a MAC that the test knows.
  const std::string tap = "--vdev=net_tap0,iface=" + std::string(kInterface) + ",mac=" + kMacOfPort;
  timespec before{}, after{};
  clock_gettime(CLOCK_MONOTONIC, &before);
  const std::string sharing = "--vdev=net_tap1,iface=" + std::string(kSharingInterface);
  eal = std::make_unique<Eal>(EalOptions{
      .cores = two_cpus(), .memory_mib = 256, .pass_through = {tap, sharing, "--vdev=net_tap2,iface=mctest2"}});
  clock_gettime(CLOCK_MONOTONIC, &after);
  std::printf("EAL with three TAP devices started in %.0f ms\n",
              static_cast<double>(after.tv_sec - before.tv_sec) * 1e3 +
                  static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e6);
  const int result = RUN_ALL_TESTS();
  eal.reset();
  return result;
}

}  // namespace
}  // namespace mcplane::net

int main(int argc, char** argv) { return mcplane::net::test_main(argc, argv); }
