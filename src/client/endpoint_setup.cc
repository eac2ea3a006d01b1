// Every message names the value at fault and what to do about it.
#include "client/endpoint_setup.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "client/broker_address.h"
#include "client/outcome.h"
#include "wire/route_table.h"

namespace mcplane::client {

namespace {

// At most 256 bytes: getrandom neither blocks after boot nor returns less.
void fill_random(void* bytes, std::size_t length) {
  if (getrandom(bytes, length, 0) != static_cast<ssize_t>(length))
    throw std::runtime_error(std::string("getrandom: ") + std::strerror(errno));
}

void check_names(const std::vector<std::string>& names, const std::string& field) {
  if (names.size() > wire::kCapabilitiesMax) throw std::runtime_error(field + ": more than 16");
  for (const auto& name : names)
    if (!wire::is_name(name))
      throw std::runtime_error(field + ": \"" + name + "\" wants 1 to 64 bytes without control characters");
}

}  // namespace

std::string endpoint_name(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  return std::string(program_invocation_short_name).substr(0, wire::kNameBytesMax);
}

wire::HelloBody checked_hello(wire::HelloBody hello) {
  if (!wire::is_label(hello.name)) throw std::runtime_error("name: wants at most 64 bytes without control characters");
  if (hello.slots == 0) throw std::runtime_error("slots: wants 1 to 65535");
  if (wire::is_worker(hello.service) && hello.actions.empty())
    throw std::runtime_error("actions: a worker needs at least one");
  check_names(hello.actions, "actions");
  check_names(hello.models, "models");
  check_names(hello.tags, "tags");
  fill_random(hello.instance.data(), hello.instance.size());
  if (!wire::hello_within_limits(hello))
    throw std::runtime_error("actions, models and tags: together longer than " + std::to_string(wire::kTableBytesMax) +
                             " bytes; shorten or drop some");
  return hello;
}

Random random_source() {
  std::uint64_t seed = 0;
  fill_random(&seed, sizeof seed);
  return Random(seed);
}

void check_first_send(int refusal, const wire::Endpoint& broker) {
  if (refusal == 0) return;
  const std::string size = std::to_string(kMtu);
  if (refusal == EMSGSIZE)
    throw std::runtime_error("the interface towards " + to_string(broker) + " cannot send packets of " + size +
                             " bytes; set it to that: ip link set dev INTERFACE mtu " + size);
  throw std::runtime_error("cannot send to " + to_string(broker) + ": " + std::strerror(refusal));
}

void throw_unanswered(const std::vector<wire::Endpoint>& brokers, std::chrono::milliseconds waited,
                      wire::Reason refusal) {
  if (refusal != wire::Reason::Ok)
    throw std::runtime_error("broker " + to_string(brokers) +
                             " refuses the registration: " + std::string(reason_word(refusal)));
  throw std::runtime_error("no answer from a broker at " + to_string(brokers) + " within " +
                           std::to_string(waited.count()) +
                           " ms; is mcplane running there, and does the network let UDP packets of " +
                           std::to_string(kMtu) + " bytes through?");
}

}  // namespace mcplane::client
