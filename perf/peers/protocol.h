// A peer's protocol as the load sees it, and one function a protocol that makes it. Clients and workers share one loop.
// Workers echo: the answer is the request's payload, byte for byte.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "event_loop.h"
#include "ledger.h"
#include "measuring_options.h"

namespace mcplane::peers {

struct Options : Measuring {
  std::string protocol;
  std::string host = "127.0.0.1";
  std::uint16_t backend_port = 0;           // the ZeroMQ broker's, for workers
  std::vector<std::uint16_t> worker_ports;  // HTTP: where workers listen
  std::uint32_t clients = 8, workers = 8;
  std::uint32_t window = 16;  // requests in flight a client
  std::uint32_t slots = 256;  // requests one worker takes at once
  std::uint64_t seed = 1;
};

class Protocol {
 public:
  virtual ~Protocol() = default;
  // Every client and worker is known to the broker.
  virtual bool ready() const = 0;
  // Each client fills its window.
  virtual void begin() = 0;
};

std::unique_ptr<Protocol> make_nats(EventLoop& loop, Ledger& ledger, const Options& options);
std::unique_ptr<Protocol> make_redis(EventLoop& loop, Ledger& ledger, const Options& options);
std::unique_ptr<Protocol> make_zmq(EventLoop& loop, Ledger& ledger, const Options& options);
std::unique_ptr<Protocol> make_http(EventLoop& loop, Ledger& ledger, const Options& options);
std::unique_ptr<Protocol> make_udp(EventLoop& loop, Ledger& ledger, const Options& options);

}  // namespace mcplane::peers
