// Every wait has a bound in virtual time, and a bound that passes is a broken promise.
#include "run.h"

#include "world.h"

namespace mcplane::sim {
namespace {

constexpr std::size_t kSentPerRefusal = 4;
constexpr std::uint64_t kFaultyNs = 4 * kNsPerSecond;  // at most, whatever the clients could send
constexpr std::uint64_t kRegisterNs = 8 * kNsPerSecond, kFirstRegisterNs = 30 * kNsPerSecond;
constexpr std::uint64_t kProbesNs = 60 * kNsPerSecond;
constexpr std::size_t kTasksMin = 1'000, kProbesMin = 32;
// All that is sent again is sent once a second at least; and then nobody has a reason to speak of tasks.
constexpr std::uint64_t kSettleNs = 5 * kNsPerSecond / 2, kSilenceNs = 3 * kNsPerSecond / 2;
// SEND, ROUTE, RESULT and DELIVER each acknowledged by a frame of its own, RESULT first as held.
constexpr std::uint64_t kAcksPerTaskMax = 5;

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
  return world.everybody_registered() && !world.broker().any_out() &&
         world.broker().control().published_workers() == world.options().sizes.workers;
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

// Every task was answered, and in a lossless run at the cost of the frames it takes. Where what was sent is more than
// workers behind a bad network can do, a few are refused at once instead.
void check_promise(World& world) {
  const Ledger& ledger = world.ledger();
  std::size_t refused = 0;
  for (std::uint32_t i = 0; i < ledger.sent() && !world.verdict().failed(); ++i) {
    if (ledger.was_delivered(i)) continue;
    if (ledger.reason(i) == wire::Reason::Overloaded && ++refused <= ledger.sent() / kSentPerRefusal) continue;
    world.fail("every task is delivered",
               "task " + std::to_string(i) + " ended " + wire::fb::EnumNameReason(ledger.reason(i)));
  }
  if (world.options().promise != Promise::kEconomy) return;
  world.newsroom().check_complete();
  const Traffic& traffic = ledger.traffic();
  if (const std::uint64_t again = traffic.again + traffic[wire::FrameType::Resend]; again != 0)
    world.fail("nothing is sent twice without need", std::to_string(again) + " frames were");
  if (traffic.acks > kAcksPerTaskMax * ledger.sent())
    world.fail("acknowledgements are few", std::to_string(traffic.acks) + " of them");
}

// Faults until all tasks were sent; where they can be survived, until all are answered.
void suffer(World& world) {
  const bool promised = world.options().promise != Promise::kNone;
  if (promised) {
    if (!world.run_until(world.now_ns() + kFirstRegisterNs, [&] { return all_published(world); }))
      return world.fail("everybody comes", "an endpoint did not register");
    world.start_sending();
  }
  world.run_until(world.now_ns() + kFaultyNs, [&] { return world.ledger().sent() >= world.options().load.tasks; });
  world.stop_sending();
  if (!promised || world.verdict().failed()) return;
  if (!world.run_until(drain_ns(world), [&] { return world.ledger().open() == 0; }) && !world.verdict().failed())
    return world.fail("every task is delivered", "some are left after their TTL");
  check_promise(world);
}

// Nobody has tasks, so nobody speaks of any.
void be_silent(World& world) {
  world.run_until(world.now_ns() + kSettleNs, [] { return false; });
  const std::uint64_t before = world.ledger().traffic().tasks();
  world.run_until(world.now_ns() + kSilenceNs, [] { return false; });
  if (world.ledger().traffic().tasks() != before) world.fail("silence", "frames about tasks, and none is left");
  if (const std::string kept = world.check_endpoints(); !kept.empty()) world.fail("nothing is left", kept);
}

}  // namespace

Result run(const Options& options, bool print) {
  planted_bug = options.plant;
  World world(options, print);
  suffer(world);
  world.heal();
  drain(world, "tasks are left after TTL and grace");
  if (!options.drain_broker && !world.verdict().failed()) probe(world);
  if (!world.verdict().failed()) drain(world, "tasks are left at the end");
  if (!world.verdict().failed()) be_silent(world);
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
  result.coverage = world.coverage();
  return result;
}

}  // namespace mcplane::sim
