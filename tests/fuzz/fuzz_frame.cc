// A received frame: Ethernet to MCP header and tables. Few made-up frames have right checksums, so each is also
// tried with them put right.
#include "fuzz/fuzz_target.h"
#include "support/frame_builder.h"
#include "support/wire_inspection.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto frame = mcplane::fuzz::copy_of(data, size);
  mcplane::testing::inspect_frame(frame);
  mcplane::testing::refresh_checksums(frame);
  mcplane::testing::inspect_frame(frame);
  return 0;
}
