// One task as every codec here carries it, and what a codec is compared by. A broker's step on a SEND is to see that it
// is sound, read what it routes by, and send it on with three fields changed; it never looks into the payload, so every
// format keeps that as bytes of its own where it can. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "wire/payload.h"

namespace mcplane::perf {

struct CodecTask {
  std::array<std::uint8_t, 16> task_id{}, trace_id{};
  std::array<std::uint8_t, 8> parent_span{};
  std::uint32_t session = 0, slot = 0, sequence = 0;
  std::uint32_t attempt = 0, worker_session = 0, ttl_ms = 0;  // what the broker changes
  std::string action, model;
  std::vector<std::string> tags;
  wire::TaskPayload payload;
  friend bool operator==(const CodecTask&, const CodecTask&) = default;
};

// What the broker writes.
struct Rewrite {
  std::uint32_t attempt = 0, worker_session = 0, ttl_ms = 0;
};

// What the broker reads, folded into one number, so that nobody can leave some of it out.
class RouteDigest {
 public:
  void add(std::uint64_t number) noexcept { value_ = (value_ ^ number) * 0x9e3779b97f4a7c15ULL; }
  void add(std::string_view text) noexcept {
    add(text.size());
    if (!text.empty()) add(static_cast<std::uint8_t>(text.front()) + 256ULL * static_cast<std::uint8_t>(text.back()));
  }
  std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 1;
};
// session, slot, sequence, ttl_ms, action, model, tags, in that order; 0 stands for a message that is not sound.
std::uint64_t route_digest(const CodecTask& task);

// One format. Buffers are kept from call to call, as a program that wants to be quick does.
class Codec {
 public:
  virtual ~Codec() = default;
  virtual std::string_view name() const = 0;
  // The task as a message.
  virtual void encode(const CodecTask& task, std::string& message) = 0;
  // A broker's step: `message` becomes what is sent on. Returns the digest of what was read.
  virtual std::uint64_t route(std::string& message, const Rewrite& rewrite) = 0;
  // A worker's: everything, checked. False when the message is not sound.
  virtual bool decode(const std::string& message, CodecTask& task) = 0;
};

std::unique_ptr<Codec> make_mcplane_codec();
std::unique_ptr<Codec> make_protobuf_codec();
std::unique_ptr<Codec> make_msgpack_codec();
// Read by simdjson, and by nlohmann. Both write as nlohmann does.
std::unique_ptr<Codec> make_simdjson_codec();
std::unique_ptr<Codec> make_nlohmann_codec();

}  // namespace mcplane::perf
