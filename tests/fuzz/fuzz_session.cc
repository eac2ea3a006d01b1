// Sequences of frames through the sessions of a whole broker: see session_driver.h. A broker of its own an input.
#include "fuzz/fuzz_target.h"
#include "fuzz/session_driver.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = mcplane::fuzz::copy_of(data, size);
  mcplane::fuzz::SessionDriver driver;
  driver.run(bytes);
  driver.finish();
  return 0;
}
