// The tables of SUBSCRIBE and PUBLISH.
#include "fuzz/fuzz_target.h"
#include "support/wire_inspection.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mcplane::testing::inspect_topics(mcplane::fuzz::copy_of(data, size));
  return 0;
}
