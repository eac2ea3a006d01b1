// See admin_socket.h.
#include "app/command_line/admin_socket.h"

#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mcplane::app {
namespace {

constexpr time_t kPatienceSeconds = 5;

}  // namespace

httplib::Client connect_admin(const std::string& path) {
  httplib::Client client(path, 80);
  client.set_address_family(AF_UNIX);
  client.set_connection_timeout(kPatienceSeconds);
  client.set_read_timeout(kPatienceSeconds);
  return client;
}

Stop admin_unreachable(std::string_view program, const std::string& path) {
  const std::string why = access(path.c_str(), R_OK | W_OK) == 0 ? "nobody listens there" : std::strerror(errno);
  return failure(program,
                 "no appliance at the admin socket " + quote(path) + ": " + why +
                     "; is mcplane running? --admin PATH names another socket",
                 kExitBrokerUnreachable);
}

}  // namespace mcplane::app
