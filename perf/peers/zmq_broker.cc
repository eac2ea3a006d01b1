// The queue that ZeroMQ's guide recommends, on libzmq over TCP: ROUTER to clients, ROUTER to workers, and the worker
// that got a free slot first (least recently used) gets the next request. A worker announces its number of slots once,
// so that it may hold several requests, as pipelining needs. What it does not do: notice dead workers, repeat what is
// lost, expire, or keep duplicates away. One thread, beside libzmq's one I/O thread on the same CPU.
//
// Usage: zmq_broker CLIENT_PORT WORKER_PORT
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <zmq.hpp>

namespace {

constexpr int kBurst = 256;

void open(zmq::socket_t& socket, const char* port) {
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.set(zmq::sockopt::rcvhwm, 0);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::backlog, 4096);
  socket.bind(std::string("tcp://127.0.0.1:") + port);
}

class Queue {
 public:
  Queue(zmq::socket_t& clients, zmq::socket_t& workers) : clients_(clients), workers_(workers) {}

  [[noreturn]] void run() {
    zmq::pollitem_t items[] = {{workers_.handle(), 0, ZMQ_POLLIN, 0}, {clients_.handle(), 0, ZMQ_POLLIN, 0}};
    for (;;) {
      // Requests wait in the clients' connections while no slot is free.
      zmq::poll(items, free_.empty() ? 1 : 2, std::chrono::milliseconds(-1));
      for (int i = 0; i < kBurst && take_answer(); ++i) continue;
      for (int i = 0; i < kBurst && !free_.empty() && take_request(); ++i) continue;
    }
  }

 private:
  // [worker, client, payload], or [worker, slots] once.
  bool take_answer() {
    zmq::message_t worker, client, payload;
    if (!workers_.recv(worker, zmq::recv_flags::dontwait)) return false;
    static_cast<void>(workers_.recv(client));
    if (!client.more()) {
      unsigned slots = 0;
      const char* const digits = client.data<char>();
      std::from_chars(digits, digits + client.size(), slots);
      free_.insert(free_.end(), slots, worker.to_string());
      return true;
    }
    static_cast<void>(workers_.recv(payload));
    clients_.send(client, zmq::send_flags::sndmore);
    clients_.send(payload, zmq::send_flags::none);
    free_.push_back(worker.to_string());
    return true;
  }

  bool take_request() {
    zmq::message_t client, payload;
    if (!clients_.recv(client, zmq::recv_flags::dontwait)) return false;
    static_cast<void>(clients_.recv(payload));
    workers_.send(zmq::buffer(free_.front()), zmq::send_flags::sndmore);
    workers_.send(client, zmq::send_flags::sndmore);
    workers_.send(payload, zmq::send_flags::none);
    free_.pop_front();
    return true;
  }

  zmq::socket_t& clients_;
  zmq::socket_t& workers_;
  std::deque<std::string> free_;  // the worker of each free slot, least recently used first
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: zmq_broker CLIENT_PORT WORKER_PORT\n", stderr);
    return 2;
  }
  try {
    zmq::context_t context(1);
    zmq::socket_t clients(context, zmq::socket_type::router), workers(context, zmq::socket_type::router);
    open(clients, argv[1]);
    open(workers, argv[2]);
    Queue(clients, workers).run();
  } catch (const zmq::error_t& error) {
    std::fprintf(stderr, "zmq_broker: %s\n", error.what());
    return 1;
  }
}
