// Workers whose host says that nobody listens at their port (ICMP port unreachable, of a ROUTE). It knows at once what
// missed heartbeats tell in three intervals. Yet it is a hint only, since whoever is on the way may say so:
//
//   up -> (port unreachable) suspected -> (any frame of it) up
//                                      -> (three PINGs, a PTO each) evicted
//
// A suspect gets no new tasks. PTOs are counted by its owner's lease clock: a shard that stands still hears no answer.
#include "control/control.h"
#include "wire/retransmission.h"

namespace mcplane::control {
namespace {

constexpr std::uint32_t kAsks = 3;

bool takes_routes(const Session& session) noexcept {
  return session.is_worker() && (session.phase == Phase::kUp || session.phase == Phase::kDraining);
}

}  // namespace

void Control::on_closed_port(const wire::ClosedPort& closed) {
  Session* const session = registry_.find(closed.worker);
  if (session == nullptr || !takes_routes(*session) || session->suspected || suspects_.size() == kSuspectsMax) return;
  if (closed.boot_id != shared_.options.boot_id || closed.peer != session->path.peer) return;
  session->suspected = true;
  suspects_.push_back({.session = session->id,
                       .seen_sum = seen(*session).sum,
                       .due_ns = lease_clock_.read_ns(session->owner, session->path.port)});
  keep_pace(*session);
  log_.info(now_ns_, "worker '{}' {:08x}: nobody listens at {}, says its host; it is asked", session->hello.name,
            session->id.value, wire::to_string(session->path.peer));
}

void Control::judge_suspects() {
  for (std::size_t i = 0; i < suspects_.size();) {
    if (judged(suspects_[i])) {
      suspects_[i] = suspects_.back();
      suspects_.pop_back();
    } else {
      ++i;
    }
  }
}

// Whether nothing is left to find out.
bool Control::judged(Suspect& suspect) {
  Session* const session = registry_.find(suspect.session);
  if (session == nullptr || !takes_routes(*session)) return true;
  if (seen(*session).sum != suspect.seen_sum) {
    session->suspected = false;
    keep_pace(*session);
    log_.info(now_ns_, "worker '{}' {:08x} is there", session->hello.name, session->id.value);
    return true;
  }
  const std::uint64_t clock_ns = lease_clock_.read_ns(session->owner, session->path.port);
  if (clock_ns < suspect.due_ns) return false;
  if (suspect.asked == kAsks) {
    end_session(*session, "evicted, nobody listens at its port");
    return true;
  }
  ++suspect.asked;
  suspect.due_ns = clock_ns + wire::handshake_pto_ns(session->handshake_ms * kNsPerMs, wire::kPtoMinNs);
  queue(session->owner).push_frame(ping_frame(path_from(*session, session->owner), grant_of(*session)));
  return false;
}

}  // namespace mcplane::control
