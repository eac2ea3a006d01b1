// A frame is built from the back: the datagram first, since the lower headers need its length and sum.
#include "control/peers/frames.h"

#include <cstring>

#include "wire/lower_headers.h"

namespace mcplane::control {
namespace {

// A datagram behind any lower headers starts 2 mod 4, as wire::begin_datagram asks.
static_assert(offsetof(state::Command, bytes) % 4 == 0);
static_assert(wire::kLowerBytesMax + wire::kLeadBytes + sizeof(wire::fb::Welcome) <= state::kMailboxFrameBytes);

// write(datagram, header) fills what type and length do not say; the datagram is zero beyond its lead.
template <class Write>
state::Command make_frame(const Path& path, wire::FrameType type, std::size_t body_bytes, Write write) noexcept {
  state::Command command{};
  command.kind = state::CommandKind::kTransmit;
  command.port = path.port;
  const wire::LowerHeaders lower = path.headers();
  const auto datagram = std::span(command.bytes).subspan(lower.length, wire::kLeadBytes + body_bytes);
  write(datagram, wire::begin_datagram(datagram, type));
  wire::write_lower_headers(lower, command.bytes.data(), static_cast<std::uint16_t>(datagram.size()),
                            wire::sum_bytes(datagram));
  command.length = static_cast<std::uint16_t>(lower.length + datagram.size());
  return command;
}

// What ACK and REJECT have in common.
void write_answer(wire::Header& header, wire::FrameType answers, const Grant& grant) noexcept {
  header.mutate_answers(answers);
  header.mutate_boot_id(grant.boot_id);
  header.mutate_session(grant.session.value);
  if (grant.worker) header.mutate_worker_session(grant.session.value);
}

}  // namespace

state::Command welcome_frame(const Path& path, std::uint32_t hello, const Grant& grant,
                             const wire::fb::Welcome& welcome) noexcept {
  return make_frame(path, wire::FrameType::Ack, sizeof welcome,
                    [&](std::span<std::byte> datagram, wire::Header& header) {
                      write_answer(header, wire::FrameType::Hello, grant);
                      header.mutate_sequence(hello);
                      std::memcpy(header.mutable_task_id()->Data(), grant.instance.data(), grant.instance.size());
                      std::memcpy(datagram.data() + wire::kLeadBytes, &welcome, sizeof welcome);
                    });
}

state::Command ack_frame(const Path& path, wire::FrameType answers, std::uint32_t sequence,
                         const Grant& grant) noexcept {
  return make_frame(path, wire::FrameType::Ack, 0, [&](std::span<std::byte>, wire::Header& header) {
    write_answer(header, answers, grant);
    header.mutate_sequence(sequence);
  });
}

state::Command reject_frame(const Path& path, wire::FrameType answers, std::uint32_t sequence, const Grant& grant,
                            wire::Reason reason, std::uint32_t retry_after_ms) noexcept {
  return make_frame(path, wire::FrameType::Reject, 0, [&](std::span<std::byte>, wire::Header& header) {
    write_answer(header, answers, grant);
    header.mutate_sequence(sequence);
    header.mutate_reason(reason);
    header.mutate_ttl_ms(retry_after_ms);
  });
}

state::Command ping_frame(const Path& path, const Grant& grant) noexcept {
  return make_frame(path, wire::FrameType::Ping, 0, [&](std::span<std::byte>, wire::Header& header) {
    header.mutate_boot_id(grant.boot_id);
    header.mutate_session(grant.session.value);
  });
}

}  // namespace mcplane::control
