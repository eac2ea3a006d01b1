// What can be asked without changing anything: one table of GETs, which the admin socket and the HTTP listener serve
// alike.
#pragma once

#include "control/admin/answer.h"

namespace httplib {
class Server;
}

namespace mcplane::control {

// `ask` is copied.
void serve_reads(httplib::Server& server, const Ask& ask);

}  // namespace mcplane::control
