// Configuration over HTTP: GET /v1/config and /v1/config/history; on the admin socket alone POST /v1/config/check, diff
// and apply with a file's text as body, confirm and rollback without. Texts are read on the server's threads, so a
// large one costs the control thread nothing; what then touches Control is asked of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "control/admin/answer.h"
#include "control/config/history.h"

namespace httplib {
class Server;
}

namespace mcplane::control {

inline constexpr std::size_t kConfigBytesMax = 1 << 20;

struct ConfigReading {
  std::vector<std::string> mistakes;  // a line each; empty: the document is sound
  ConfigDocument document;
};

// Only app knows the form of the file, and what flags say besides. Called on any thread, several at once.
struct ConfigHooks {
  std::function<ConfigReading(const std::string& text, const std::string& origin)> read;  // empty: no texts are taken
  std::function<std::uint64_t()> unix_s;  // seconds since 1970; empty: 0
};

// What is given is copied.
void serve_config_reads(httplib::Server& server, const Ask& ask);
void serve_config_changes(httplib::Server& server, const Ask& ask, const ConfigHooks& hooks);

}  // namespace mcplane::control
