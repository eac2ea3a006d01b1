// Bugs planted on purpose, to prove that the simulation's oracles find such bugs. A plant is one readable condition at
// the place where the bug could have been made. Only the simulation's own copy of the code, compiled with
// MCPLANE_PLANTED_BUGS, can switch one on, at run time; everywhere else planted() is a constant and costs nothing.
// tests/sim/README.md says of each which oracle finds it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mcplane {

enum class PlantedBug : std::uint8_t {
  kNone,
  // Dataplane.
  kSkipSlotDedup,        // a SEND that came before starts a task again
  kAcceptStaleSequence,  // a SEND of an exchange that is long over starts a task
  kLeakWorkerSlot,       // a RESULT does not give the worker's slot back
  kReleaseSlotTwice,     // a RESULT gives the worker's slot back twice
  kAckResultEarly,       // the worker may forget a RESULT before its client has it
  kTakeAnyResult,        // a RESULT of an attempt that is over is taken
  kForgetReject,         // a late REJECT that was lost is not said again
  kCancelOnce,           // a CANCEL that was lost is not said again
  kFailOverAnyTask,      // a task that may run once goes to a second worker
  kDenyAfterAttempt,     // a task that waits again after a worker had it ends as never executed
  kRouteExpired,         // a pulled SEND goes out although its time is up
  kTtlNotSpent,          // waiting costs no time to live
  kResendOtherToken,     // a RESEND names another generation of the task's slot
  kFreeTwice,            // a duplicate's buffer is freed twice
  kLeakDuplicate,        // a duplicate's buffer is not freed
  kMiscountWaiting,      // a frame that waits for a worker is not counted
  kLeakHandoff,          // a frame that another core has no room for keeps its buffer
  kSweepSkips,           // the end of a session passes over one task in two
  kAcceptOverBound,      // a worker takes one task more than it has slots
  kLoseFullAcks,         // an acknowledgement that finds its worker's line full is lost
  kCacheBySelector,      // what was answered to another payload stands in
  kDegradeBusy,          // a worker that is busy counts as one that is out
  kDeliverMirrored,      // the answer to a copy is delivered to the client of the task that was copied
  kEndAtAnyPart,         // the first part of an answer ends its task
  kEventToWholeGroup,    // each member of a group gets an event
  kEventToOther,         // a fan-out begins with the last subscriber of the one before
  kShareUncounted,       // the first EVENT that shares a PUBLISH's buffer is not counted
  // State and control.
  kRouteToDraining,   // a worker that said BYE takes tasks
  kLeaseIgnoresLink,  // a pulled cable counts as its peers' silence
  kKeepInstance,      // who starts anew goes on in the session of the one before
  kOverlappingSlots,  // two clients share a slot
  kRouteToOpen,       // a worker whose breaker opened takes tasks
  kPermitTwice,       // a probe takes no permit
  kShadowAnywhere,    // a shadow task goes to a worker of production
  kAckUnpublished,    // a subscription is acknowledged before the cores know it
  kKeepSubscription,  // an UNSUBSCRIBE is acknowledged, and nothing else
  // Client.
  kOutcomeTwice,     // an outcome that comes twice ends its send twice
  kForeignOutcome,   // frames of another session, or another life of the broker, are taken for ours
  kDenyMoved,        // a task that another session may have run ends as never executed
  kStaleWelcome,     // an ACK to a HELLO of an earlier registration is taken
  kSendOnce,         // a SEND that was lost is not sent again
  kAckOtherSlot,     // an acknowledgement of several outcomes names the wrong ones
  kResendAnyTask,    // in a new session every task is sent again
  kNoDeadline,       // a send that nobody answers never ends
  kPartsAsTheyCome,  // pieces of an answer are given to the application out of order
  kNeverProbe,       // a sender of parts waits for a GRANT that was lost
  // Worker.
  kSkipRouteDedup,  // a ROUTE that comes twice runs twice
  kWindowOffByOne,  // the newest ROUTE is not known as seen
  kDropHeld,        // a RESULT that the broker holds is dropped as if its client had it
  kRunAfterStop,    // a ROUTE that its CANCEL overtook is run
  kGrantNoMore,     // a task that waits for its turn to be granted is forgotten
  kStopsAtOnce,     // a stream that is cancelled has stopped, it says, and goes on
  kCount
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(PlantedBug::kCount)> kPlantedBugNames = {
    "none",
    "skip-slot-dedup",
    "accept-stale-sequence",
    "leak-worker-slot",
    "release-slot-twice",
    "ack-result-early",
    "take-any-result",
    "forget-reject",
    "cancel-once",
    "fail-over-any-task",
    "deny-after-attempt",
    "route-expired",
    "ttl-not-spent",
    "resend-other-token",
    "free-twice",
    "leak-duplicate",
    "miscount-waiting",
    "leak-handoff",
    "sweep-skips",
    "accept-over-bound",
    "lose-full-acks",
    "cache-by-selector",
    "degrade-busy",
    "deliver-mirrored",
    "end-at-any-part",
    "event-to-whole-group",
    "event-to-other",
    "share-uncounted",
    "route-to-draining",
    "lease-ignores-link",
    "keep-instance",
    "overlapping-slots",
    "route-to-open",
    "permit-twice",
    "shadow-anywhere",
    "ack-unpublished",
    "keep-subscription",
    "outcome-twice",
    "foreign-outcome",
    "deny-moved",
    "stale-welcome",
    "send-once",
    "ack-other-slot",
    "resend-any-task",
    "no-deadline",
    "parts-as-they-come",
    "never-probe",
    "skip-route-dedup",
    "window-off-by-one",
    "drop-held",
    "run-after-stop",
    "grant-no-more",
    "stops-at-once"};

#if defined(MCPLANE_PLANTED_BUGS)
inline PlantedBug planted_bug = PlantedBug::kNone;  // of the run at hand; one thread
inline bool planted(PlantedBug bug) noexcept { return planted_bug == bug; }
#else
constexpr bool planted(PlantedBug) noexcept { return false; }
#endif

}  // namespace mcplane
