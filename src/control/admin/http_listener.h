// The HTTP listener, by default on loopback: the page, what it shows as it changes, and all that the admin socket can
// be asked; nothing that changes anything. Threads of its own; whatever touches Control runs on the control thread,
// posted.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "control/control.h"
#include "wire/address.h"

namespace mcplane::control {

class HttpListener {
 public:
  // Binds and serves at once; port 0: any. Throws std::runtime_error with one line for a person when it cannot.
  // `control` outlives it; answers need somebody to poll it within `patience`, else they are 503.
  HttpListener(Control& control, const wire::Endpoint& at, std::chrono::milliseconds patience = std::chrono::seconds(1),
               std::chrono::milliseconds live_interval = std::chrono::seconds(1));
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  // Where it listens.
  const wire::Endpoint& at() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcplane::control
