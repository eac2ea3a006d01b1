// The way to an appliance's admin socket, for the programs that ask it. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/command_line/cli.h"

namespace httplib {
class Client;
}

namespace mcplane::app {

inline constexpr std::string_view kAdminSocket = "/run/mcplane/admin.sock";  // an appliance's, unless told otherwise

// HTTP over it. Connects when it is asked something, and waits 5 s for the answer.
httplib::Client connect_admin(const std::string& path);
// Why nobody answered there, said by `program`.
Stop admin_unreachable(std::string_view program, const std::string& path);

}  // namespace mcplane::app
