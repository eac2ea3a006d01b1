// What the tests of the SDK's shell share: tasks and options towards a broker of the test's own.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <string>
#include <utility>

#include "mcplane/client.h"
#include "mcplane/worker.h"
#include "support/mini_broker.h"

namespace mcplane {

using namespace std::chrono_literals;

inline Task task_of(std::string prompt) {
  Task task;
  task.action = "generate";
  task.prompt = std::move(prompt);
  task.ttl = 5s;
  return task;
}

inline WorkerOptions worker_options(const test::MiniBroker& broker, std::uint16_t slots = 1) {
  WorkerOptions options;
  options.broker = broker.address();
  options.actions = {"generate"};
  options.slots = slots;
  return options;
}

inline ClientOptions client_options(const test::MiniBroker& broker) {
  ClientOptions options;
  options.broker = broker.address();
  return options;
}

inline Answer echo(const Task& task) { return {"you said: " + task.prompt}; }

// Drives an AsyncClient until `finished` or ten seconds have passed.
template <class Condition>
bool drive(AsyncClient& client, Condition finished) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!finished() && std::chrono::steady_clock::now() < end) {
    pollfd waited{client.fd(), POLLIN, 0};
    poll(&waited, 1, 100);
    client.process();
  }
  return finished();
}

}  // namespace mcplane
