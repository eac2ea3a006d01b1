// Bursts over loopback: what arrives is every datagram, as long and in the order as it was written, however the kernel
// was given them.
#include "client/udp_socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "support/loopback.h"

namespace mcplane::client {
namespace {

constexpr int kPatienceMs = 5'000;
const wire::IpAddress kLoopback = wire::IpAddress::v4({127, 0, 0, 1});

struct Peer {
  // The next `count` datagrams, or fewer when no more come.
  std::vector<std::string> hear(std::size_t count) {
    std::vector<std::string> heard;
    while (heard.size() < count) {
      pollfd readable{socket.fd(), POLLIN, 0};
      if (poll(&readable, 1, kPatienceMs) <= 0) break;
      for (const auto& received : socket.receive())
        heard.emplace_back(reinterpret_cast<const char*>(received.datagram.data()), received.datagram.size());
    }
    return heard;
  }

  UdpSocket socket{{kLoopback, 0}};
  wire::Endpoint endpoint{kLoopback, test::bind_to_loopback(socket.fd())};
};

void write(Outbox& outbox, const std::string& datagram, const wire::Endpoint& to) {
  std::ranges::copy(std::as_bytes(std::span(datagram)), outbox.reserve().begin());
  outbox.commit(datagram.size(), to);
}

// Byte by byte of its own, so that no two are taken for each other.
std::string datagram(std::size_t bytes, std::size_t number) {
  std::string made(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) made[i] = static_cast<char>(number * 31 + i);
  return made;
}

TEST(UdpSocket, DatagramsOfAnyLengthsToAnyPeersArriveAsTheyWereWritten) {
  UdpSocket sender({kLoopback, 0});
  std::vector<Peer> peers(2);
  // Trains that end with their last, a shorter one, a longer one, another peer; and datagrams of the longest there are.
  const std::vector<std::pair<std::size_t, std::size_t>> lengths_by_peer = {
      {0, 300}, {0, 300}, {0, 300}, {0, 40},  {0, 40},  {0, 500}, {1, 500},   {1, 500},   {0, 500},
      {1, 1},   {1, 1},   {1, 2},   {1, 300}, {0, 300}, {0, 299}, {0, 9'000}, {0, 9'000}, {0, 8'999}};
  Outbox outbox;
  std::map<std::size_t, std::vector<std::string>> sent;
  for (const auto& [peer, bytes] : lengths_by_peer) {
    const std::string made = datagram(bytes, outbox.entries().size());
    write(outbox, made, peers[peer].endpoint);
    sent[peer].push_back(made);
  }
  EXPECT_TRUE(sender.send(outbox));
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(sender.refusal(), 0);
  for (const auto& [peer, datagrams] : sent) EXPECT_EQ(peers[peer].hear(datagrams.size()), datagrams) << peer;
}

TEST(UdpSocket, AFullOutboxOfThemIsNotMoreThanATrainMayHave) {
  for (const std::size_t bytes : {64U, 1'400U, 9'000U}) {
    UdpSocket sender({kLoopback, 0});
    Peer peer;
    Outbox outbox;
    std::vector<std::string> sent;
    while (!outbox.full()) {
      sent.push_back(datagram(bytes, sent.size()));
      write(outbox, sent.back(), peer.endpoint);
    }
    EXPECT_TRUE(sender.send(outbox));
    EXPECT_EQ(peer.hear(sent.size()), sent) << bytes;
    EXPECT_EQ(sender.refusal(), 0);
  }
}

TEST(UdpSocket, WhatGoesToOnePeerGoesAsOne) {
  constexpr std::size_t kDatagrams = 10, kBytes = 200;
  UdpSocket sender({kLoopback, 0});
  Peer peer;
  const int together = 1;
  ASSERT_EQ(setsockopt(peer.socket.fd(), IPPROTO_UDP, UDP_GRO, &together, sizeof together), 0);
  Outbox outbox;
  for (std::size_t i = 0; i < kDatagrams; ++i) write(outbox, datagram(kBytes, i), peer.endpoint);
  EXPECT_TRUE(sender.send(outbox));
  // Over loopback nothing cuts a train for a socket that takes it whole.
  const auto heard = peer.hear(1);
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].size(), kDatagrams * kBytes);
}

TEST(UdpSocket, OfThoseTheKernelRefusesOnlyTheyAreDropped) {
  UdpSocket sender({kLoopback, 0});
  Peer peer;
  // A broadcast, which needs to be asked for.
  const wire::Endpoint nowhere{wire::IpAddress::v4({255, 255, 255, 255}), 9};
  Outbox outbox;
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < 3; ++i) {
    write(outbox, datagram(100, i), nowhere);
    write(outbox, datagram(100, i), nowhere);
    for (std::size_t k = 0; k < 2; ++k) {
      sent.push_back(datagram(100, 10 * i + k));
      write(outbox, sent.back(), peer.endpoint);
    }
  }
  EXPECT_TRUE(sender.send(outbox));
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(sender.refusal(), EACCES);
  EXPECT_EQ(peer.hear(sent.size()), sent);
}

}  // namespace
}  // namespace mcplane::client
