// Who asks workers for their health: control says whom and when, this is how it gets there and back. The appliance's
// does it with sockets on a thread of its own (app/appliance/prober.h), tests make up the answers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"
#include "wire/address.h"
#include "wire/health_probe.h"

namespace mcplane::control {

struct ProbeRequest {
  std::uint64_t number = 0;  // of all requests, ever
  SessionId session;
  wire::IpAddress ip;  // the one its HELLO came from
  wire::HealthProbe probe;
  std::uint64_t timeout_ns = 0;
};

struct ProbeAnswer {
  std::uint64_t number = 0;
  SessionId session;
  bool good = false;
  std::string said;  // for people, a few words: "HTTP 503"
};

// Called on the control thread, which waits for nothing here.
class Prober {
 public:
  virtual ~Prober() = default;
  // False when it has too much to do already. Else it answers once, or never.
  virtual bool try_ask(ProbeRequest request) = 0;
  // Appends what came since; late answers too.
  virtual void take_answers(std::vector<ProbeAnswer>& answers) = 0;
};

}  // namespace mcplane::control
