// A load test beside production: who serves it, what it may take, and what it leaves alone.
#include "dataplane/shadow.h"

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

// One client, a worker of production and a shadow worker that serve alike.
class Shadow : public PairTest {
 protected:
  void start_both(std::uint16_t worker_slots, std::uint16_t shadow_slots) {
    shadow = &rig().add({.service = wire::Service::kShadowWorker, .slots = shadow_slots});
    start(worker_slots, {.slots = 1'024});
  }
  FrameSpec shadow_spec(std::uint16_t slot, std::uint32_t ttl_ms = 60'000, std::uint32_t sequence = 1) {
    return shadowed(rig().send_spec(*client, slot, sequence, ttl_ms));
  }
  static FrameSpec shadowed(FrameSpec spec) {
    return edited(std::move(spec), [](wire::Header& header) {
      header.mutate_flags(static_cast<std::uint16_t>(header.flags() | raw(wire::Flag::Shadow)));
    });
  }
  static FrameSpec idempotent(FrameSpec spec) {
    return edited(std::move(spec), [](wire::Header& header) {
      header.mutate_flags(static_cast<std::uint16_t>(header.flags() | raw(wire::Flag::Idempotent)));
    });
  }
  std::uint64_t rejected(const state::TaskCounters& books, Reason reason) { return books.rejected[raw(reason)].read(); }
  void expect_production_untouched() {
    const state::TaskCounters& books = rig().counters();
    for (const state::Counter* count :
         {&books.accepted, &books.delivered, &books.expired_unrouted, &books.expired_routed, &books.worker_lost,
          &books.client_lost, &books.cancelled, &books.rejected_late, &books.failed_over})
      EXPECT_EQ(count->read(), 0U);
    for (const state::Counter& count : books.in_state) EXPECT_EQ(count.read(), 0U);
    for (const state::Counter& count : books.rejected) EXPECT_EQ(count.read(), 0U);
  }

  Peer* shadow = nullptr;
};

TEST_F(Shadow, EachKindHasItsWorkers) {
  start_both(4, 4);
  for (std::uint16_t slot = 0; slot < 8; slot += 2) {
    EXPECT_EQ(route(slot).to(), worker->address);
    const Sent routed = only(exchange(shadow_spec(slot + 1)), FrameType::Route);
    EXPECT_EQ(routed.to(), shadow->address);
    EXPECT_TRUE(wire::is_shadow(routed.header().flags())) << "its worker sees what it is";
  }
  EXPECT_EQ(rig().outstanding(*worker), 4U);
  EXPECT_EQ(rig().outstanding(*shadow), 4U);
}

TEST_F(Shadow, NeitherGoesToTheOthersWorkers) {
  start(1);
  expect_reject(only(exchange(shadow_spec(0)), FrameType::Reject), Reason::NoWorker, Executed::No);
  EXPECT_EQ(rejected(rig().counters().shadow, Reason::NoWorker), 1U);
  expect_production_untouched();
  rig().withdraw(*worker);
  rig().add({.service = wire::Service::kShadowWorker, .slots = 1});
  rig().publish();
  step();
  expect_reject(only(submit(1), FrameType::Reject), Reason::NoWorker, Executed::No);
  EXPECT_EQ(rejected(rig().counters(), Reason::NoWorker), 1U);
}

TEST_F(Shadow, HasBooksOfItsOwn) {
  start_both(4, 1);
  const Sent delivered = only(exchange(shadow_spec(0)), FrameType::Route);
  exchange(shadow_spec(1, 5));  // waits, and expires
  exchange(shadow_spec(2));     // waits, and is cancelled
  expect_reject(first(after_ms(6), FrameType::Reject), Reason::Expired, Executed::No);
  exchange(rig().cancel_spec(*client, 2, 1));
  const Sent deliver = first(exchange(rig().result_spec(*shadow, delivered.header())), FrameType::Deliver);
  exchange(rig().outcome_ack_spec(*client, deliver.header()));
  const state::TaskCounters& books = rig().counters().shadow;
  EXPECT_EQ(books.accepted.read(), 3U);
  EXPECT_EQ(books.delivered.read(), 1U);
  EXPECT_EQ(books.expired_unrouted.read(), 1U);
  EXPECT_EQ(books.cancelled.read(), 1U);
  expect_production_untouched();
}

TEST_F(Shadow, CountsForNoLimit) {
  rig().client_limit = {.interval_ns = kNsPerSecond, .concurrency = 1};
  rig().rule = {.shared_limit = 7, .limit = {.interval_ns = kNsPerSecond, .concurrency = 1}};
  start_both(4, 16);
  for (std::uint16_t slot = 0; slot < 10; ++slot) only(exchange(shadow_spec(slot)), FrameType::Route);
  EXPECT_EQ(rig().shared.limits[7].open.load(), 0U);
  route(10);
  expect_reject(only(submit(11), FrameType::Reject), Reason::RateLimited, Executed::No);
  only(exchange(shadow_spec(12)), FrameType::Route);
}

TEST_F(Shadow, WaitsInTheLeastUrgentClass) {
  start_both(1, 1);
  exchange(with_priority(shadow_spec(0), 0));
  exchange(with_priority(shadow_spec(1), 0));
  const auto& waiting = rig().shard().routes.waiting();
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(rig().shard().routes[waiting[0]].lines.classes[wire::kPriorities - 1].frames, 1U);
}

TEST_F(Shadow, HasAnEighthOfWhatMayWait) {
  options.shard.max_queued = 64;
  start_both(1, 1);
  for (std::uint16_t slot = 0; slot < 1 + 8; ++slot) exchange(shadow_spec(slot));
  expect_reject(first(exchange(shadow_spec(9)), FrameType::Reject), Reason::QueueFull, Executed::No);
  EXPECT_EQ(rejected(rig().counters().shadow, Reason::QueueFull), 1U);
  submit(20);
  for (std::uint16_t slot = 21; slot < 61; ++slot) EXPECT_EQ(count(submit(slot), FrameType::Reject), 0U);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 40U);
}

TEST_F(Shadow, IsTheFirstThatNoLongerMayWait) {
  options.shard.max_queued = 64;
  start_both(1, 1);
  exchange(shadow_spec(0));
  for (std::uint16_t slot = 20; slot < 21 + 48; ++slot) submit(slot);
  expect_reject(first(exchange(shadow_spec(1)), FrameType::Reject), Reason::QueueFull, Executed::No);
  EXPECT_EQ(count(submit(70), FrameType::Reject), 0U) << "production still may";
}

TEST_F(Shadow, HasAnEighthOfTheTasks) {
  options.shard.max_tasks = 64;
  start_both(64, 64);
  for (std::uint16_t slot = 0; slot < 8; ++slot) only(exchange(shadow_spec(slot)), FrameType::Route);
  expect_reject(first(exchange(shadow_spec(8)), FrameType::Reject), Reason::TableFull, Executed::No);
  for (std::uint16_t slot = 20; slot < 20 + 56; ++slot) first(submit(slot), FrameType::Route);
}

TEST_F(Shadow, SpendsNothingOfWhatItsClientMayRunAgain) {
  start_both(64, 64);
  Peer* shadows[] = {shadow, &rig().add({.service = wire::Service::kShadowWorker, .slots = 64})};
  rig().publish();
  step();
  for (std::uint16_t slot = 0; slot < 40; ++slot) exchange(idempotent(shadow_spec(slot)));
  rig().withdraw(*shadows[0]);
  rig().end_session(*shadows[0]);
  run_out();
  const Session& session = *rig().shard().sessions.find(client->session);
  EXPECT_GT(rig().counters().shadow.failed_over.read(), 0U);
  EXPECT_EQ(session.shadow_failed_over, rig().counters().shadow.failed_over.read());
  EXPECT_EQ(session.failed_over, 0U);
  EXPECT_EQ(session.accepted, 0U);
  expect_production_untouched();
}

TEST_F(Shadow, APulledTaskStaysWhatItWas) {
  start_both(4, 4);
  const Sent routed = only(exchange(idempotent(shadow_spec(0))), FrameType::Route);
  rig().withdraw(*shadow);
  rig().end_session(*shadow);
  Peer& other = rig().add({.service = wire::Service::kShadowWorker, .slots = 4});
  rig().publish();
  const Sent resend = first(run_out(), FrameType::Resend);
  EXPECT_EQ(count(exchange(rig().pulled_spec(*client, resend.header())), FrameType::Route), 0U)
      << "without the flag it is another task";
  EXPECT_EQ(first(exchange(shadowed(rig().pulled_spec(*client, resend.header()))), FrameType::Route).to(),
            other.address);
}

}  // namespace
}  // namespace mcplane::dataplane
