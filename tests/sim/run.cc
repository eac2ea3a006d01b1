// Every wait has a bound in virtual time, and a bound that passes is a broken promise.
#include "run.h"

#include "world.h"

namespace mcplane::sim {
namespace {

constexpr std::uint64_t kFaultyNs = 4 * kNsPerSecond;  // at most, whatever the clients could send
constexpr std::uint64_t kRegisterNs = 8 * kNsPerSecond;
constexpr std::uint64_t kProbesNs = 60 * kNsPerSecond;
constexpr std::size_t kTasksMin = 1'000, kProbesMin = 32;

// From the last fault on: the last frame that was under way arrives, its task's TTL and grace pass, its worker
// finishes, and a CANCEL is repeated at its slowest twice; a session that nobody keeps alive has ended well before.
std::uint64_t drain_ns(const World& world) {
  const Load& load = world.options().load;
  const std::uint64_t last_ns = std::max(world.now_ns(), world.network().latest_ns());
  return last_ns + load.ttl_max_ms * kNsPerMs + client::kGraceNs + load.service_max_ns + 2 * 1'600 * kNsPerMs +
         2 * kNsPerSecond;
}

void drain(World& world, std::string_view when) {
  if (!world.run_until(drain_ns(world), [&] { return world.drained(); }) && !world.verdict().failed())
    world.fail("4 everything drains", when);
}

bool all_published(World& world) {
  return world.everybody_registered() && world.broker().control().published_workers() == world.options().sizes.workers;
}

// On a sound network with everybody there, nothing but an answer will do.
void probe(World& world) {
  // A session whose lease still counts the silence of the faulty time is heard once more, or found to be over.
  const std::uint64_t heard_ns = 2 * world.options().load.client_heartbeat_ms * kNsPerMs;
  world.run_until(world.now_ns() + heard_ns, [] { return false; });
  if (!world.run_until(world.now_ns() + kRegisterNs, [&] { return all_published(world); })) {
    if (!world.verdict().failed()) world.fail("everybody comes back", "an endpoint did not register after the heal");
    return;
  }
  const std::size_t first = world.ledger().sent();
  const std::size_t total = std::max(kTasksMin, first + kProbesMin);
  world.send_one_by_one(total);
  const auto done = [&] { return world.ledger().sent() >= total && world.ledger().open() == 0; };
  if (!world.run_until(world.now_ns() + kProbesNs, done) && !world.verdict().failed())
    world.fail("everybody comes back", "tasks could not be sent after the heal");
  for (std::size_t i = first; i < world.ledger().sent() && !world.verdict().failed(); ++i) {
    const auto number = static_cast<std::uint32_t>(i);
    if (!world.ledger().was_delivered(number))
      world.fail("a sound network delivers",
                 "task " + std::to_string(i) + " ended " + wire::fb::EnumNameReason(world.ledger().reason(number)));
  }
}

}  // namespace

Result run(const Options& options, bool print) {
  World world(options, print);
  world.run_until(world.now_ns() + kFaultyNs, [&] { return world.ledger().sent() >= options.load.tasks; });
  world.stop_sending();
  world.heal();
  drain(world, "tasks are left after TTL and grace");
  if (!options.drain_broker && !world.verdict().failed()) probe(world);
  if (!world.verdict().failed()) drain(world, "tasks are left at the end");
  if (!world.verdict().failed())
    if (const std::string wrong = world.broker().check_empty(); !wrong.empty())
      world.fail("4, 8, 10, 12 nothing is left", wrong);

  Result result;
  result.broken = world.verdict().text();
  if (!result.broken.empty()) result.last = world.trace().last();
  result.hash = world.trace().hash();
  result.events = world.trace().events();
  result.tasks = world.ledger().sent();
  result.delivered = world.ledger().delivered();
  result.virtual_ns = world.now_ns();
  return result;
}

}  // namespace mcplane::sim
