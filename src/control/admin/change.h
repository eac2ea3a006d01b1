// The admin socket's part on what people switch while the appliance runs: POSTs on breakers, degradation and measuring.
// The path says it all, a body is not read. Configuration is admin/config.h's.
#pragma once

#include "control/admin/answer.h"

namespace httplib {
class Server;
}

namespace mcplane::control {

// `ask` is copied.
void serve_changes(httplib::Server& server, const Ask& ask);

}  // namespace mcplane::control
