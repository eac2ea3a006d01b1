// Many random frames through stateful sessions, without coverage: `session_frames FRAMES [SEED]`. The broker lives
// until its rig is worn out, so states are reached that one input's length does not. Prints what it did and how long a
// frame took on average; the time is all of it, making and checking frames included.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/random.h"
#include "fuzz/session_driver.h"

namespace {

using mcplane::fuzz::SessionDriver;
using mcplane::wire::FrameType;

constexpr std::size_t kBytes = 2'048;
constexpr std::uint64_t kFramesALife = 200'000;

struct Totals {
  std::uint64_t frames = 0, lives = 0, accepted = 0, delivered = 0, resends = 0, routes = 0, events = 0;

  void add(SessionDriver& driver) {
    ++lives;
    frames += driver.frames();
    routes += driver.sent(FrameType::Route);
    resends += driver.sent(FrameType::Resend);
    events += driver.sent(FrameType::Event);
    for (std::uint32_t i = 0; i < 2; ++i) {
      accepted += driver.rig().counters(i).accepted.read();
      delivered += driver.rig().counters(i).delivered.read();
    }
  }
};

// One broker's life.
void live(mcplane::Random& random, std::uint64_t frames, Totals& totals) {
  SessionDriver driver;
  std::array<std::byte, kBytes> bytes;
  while (driver.frames() < frames && !driver.worn_out()) {
    std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random.next() >> 56); });
    driver.run(bytes);
  }
  driver.finish();
  totals.add(driver);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: session_frames FRAMES [SEED]\n");
    return 2;
  }
  const std::uint64_t frames = std::strtoull(argv[1], nullptr, 10);
  mcplane::Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const auto started = std::chrono::steady_clock::now();
  Totals totals;
  while (totals.frames < frames) live(random, std::min(kFramesALife, frames - totals.frames), totals);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - started;
  std::printf(
      "%llu frames in %llu lives, %.0f ns a frame: %llu tasks accepted, %llu ROUTEs, %llu RESENDs, %llu delivered, "
      "%llu EVENTs\n",
      static_cast<unsigned long long>(totals.frames), static_cast<unsigned long long>(totals.lives),
      took.count() / static_cast<double>(totals.frames), static_cast<unsigned long long>(totals.accepted),
      static_cast<unsigned long long>(totals.routes), static_cast<unsigned long long>(totals.resends),
      static_cast<unsigned long long>(totals.delivered), static_cast<unsigned long long>(totals.events));
  // Frames that reach nothing would prove nothing.
  return totals.accepted > 0 && totals.delivered > 0 && totals.events > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
