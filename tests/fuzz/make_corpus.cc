// Writes the seeds of tests/fuzz/corpus: `make_corpus tests/fuzz/corpus`. Run it after the protocol has changed.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/random.h"
#include "support/frame_builder.h"
#include "wire/payload.h"
#include "wire/registration.h"
#include "wire/route_table.h"
#include "wire/topic.h"

namespace {

using namespace mcplane;
using testing::Bytes;
using testing::Family;
using wire::FrameType;

void write(const std::filesystem::path& path, const Bytes& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void write_frames(const std::filesystem::path& folder) {
  for (const auto type : {FrameType::Hello, FrameType::Retry, FrameType::Ping, FrameType::Send, FrameType::Result}) {
    testing::FrameSpec spec = testing::sample_spec(type, type == FrameType::Result ? Family::kIpv6 : Family::kIpv4,
                                                   type == FrameType::Send ? std::uint16_t{5} : wire::kNoVlan);
    if (type == FrameType::Hello) spec.payload.resize(8);
    write(folder / wire::fb::EnumNameFrameType(type), build_frame(spec));
  }
}

// Moves at random: enough of them make tasks that are routed, answered, cancelled and lost.
void write_moves(const std::filesystem::path& folder) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    Random random(seed);
    Bytes moves(1'500);
    std::ranges::generate(moves, [&] { return static_cast<std::byte>(random.next() >> 56); });
    write(folder / std::to_string(seed), moves);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_corpus FOLDER\n");
    return 2;
  }
  const std::filesystem::path corpus = argv[1];
  write_frames(corpus / "frame");
  write_moves(corpus / "session");
  const auto v6 = testing::our_endpoint(Family::kIpv6).ip;
  write(corpus / "neighbour/arp", testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip, 5));
  write(corpus / "neighbour/echo", testing::build_icmp_echo(Family::kIpv4, 8));
  write(corpus / "neighbour/echo6", testing::build_icmp_echo(Family::kIpv6, 8, 5));
  write(corpus / "neighbour/solicitation", testing::build_neighbour_solicitation(v6));
  write(corpus / "neighbour/probe", testing::build_neighbour_solicitation(v6, true));
  write(corpus / "neighbour/reply", testing::build_arp({}));
  write(corpus / "neighbour/gratuitous", testing::build_gratuitous_arp(testing::kPeerMac));
  write(corpus / "neighbour/advertisement", testing::build_neighbour_advertisement());
  for (const auto& [name, family] : {std::pair("closed", Family::kIpv4), std::pair("closed6", Family::kIpv6)})
    write(corpus / "neighbour" / name, testing::build_port_unreachable(testing::build_sent_route(family)));
  const std::vector<std::string> tags = {"gpu", "eu"};
  write(corpus / "route_table/full", wire::write_route_table("generate", "llama", tags, "task-1"));
  write(corpus / "route_table/least", wire::write_route_table("a", "", {}, ""));
  write(corpus / "topic/publication", wire::write_publication("jobs.eu.done"));
  write(corpus / "topic/subscription", wire::write_subscription("jobs.*.>", "loggers"));
  write(corpus / "hello/worker", testing::sample_spec(FrameType::Hello).table);
  for (const char* const probe : {"tcp:9000", "http:9000/health=204", "grpc:9000/my.Service"}) {
    wire::HelloBody hello{.service = wire::Service::kWorker,
                          .slots = 1,
                          .name = {},
                          .actions = {"a"},
                          .models = {},
                          .tags = {},
                          .probe = {}};
    wire::parse_probe(probe, hello.probe);
    write(corpus / "hello" / std::string(probe).substr(0, std::string_view(probe).find(':')), wire::write_hello(hello));
  }
  write(corpus / "hello/client", wire::write_hello({}));
  write(corpus / "payload/task", testing::sample_spec(FrameType::Send).payload);
  write(corpus / "payload/empty", wire::write_task_payload({}));
  write(corpus / "payload/answer", wire::write_answer("hello to you"));
  return 0;
}
