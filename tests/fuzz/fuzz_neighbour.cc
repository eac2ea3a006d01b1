// ARP, ICMP and neighbour discovery, and the answers to them.
#include "fuzz/fuzz_target.h"
#include "support/frame_builder.h"
#include "support/wire_inspection.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto frame = mcplane::fuzz::copy_of(data, size);
  mcplane::testing::refresh_checksums(frame);
  mcplane::testing::inspect_neighbour(frame);
  return 0;
}
