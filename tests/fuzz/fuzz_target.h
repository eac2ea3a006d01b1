// The one function of a fuzz target: libFuzzer calls it with made-up bytes, replay_main.cc with the corpus.
// A target copies its input to a heap buffer of exactly that size, so that ASan sees one byte too many.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace mcplane::fuzz {

// A copy that starts 16-byte aligned.
inline std::vector<std::byte> copy_of(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  return {bytes.begin(), bytes.end()};
}

}  // namespace mcplane::fuzz
