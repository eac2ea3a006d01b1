// The admin interface: HTTP over a UNIX socket, GET to read and POST to change. cpp-httplib serves it on threads of its
// own; whatever touches Control runs on the control thread, posted, so every answer is one consistent state.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "control/admin/config.h"
#include "control/control.h"

namespace mcplane::control {

class Admin {
 public:
  // Binds and serves at once. Makes the folder, takes over the socket of a process that died, sets 0660.
  // Throws std::runtime_error with one line for a person when it cannot. `control` outlives it; answers need
  // somebody to poll it within `patience`, else they are 503.
  Admin(Control& control, std::string path, std::chrono::milliseconds patience = std::chrono::seconds(1),
        const ConfigHooks& config = {});
  // Stops serving and removes the socket.
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcplane::control
