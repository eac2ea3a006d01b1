// Ours: magic, header struct, route table, payload. Rewritten in place. Two bytes in front of the datagram put the
// header on a multiple of four, as Ethernet, IP and UDP headers do.
#include <cstring>
#include <span>

#include "task.h"
#include "wire/header.h"
#include "wire/route_table.h"

namespace mcplane::perf {
namespace {

constexpr std::size_t kPad = 2;

std::span<std::byte> datagram_in(std::string& message) {
  return std::as_writable_bytes(std::span(message)).subspan(kPad);
}

// A SEND that is a part of its task is sound too, but is none of these.
bool is_whole_task(std::span<const std::byte> datagram) {
  return wire::check_datagram(datagram) == DropReason::kNone &&
         !wire::is_task_part(wire::header_of(datagram), datagram.size() - wire::kLeadBytes);
}

class McplaneCodec final : public Codec {
 public:
  std::string_view name() const override { return "mcplane"; }

  void encode(const CodecTask& task, std::string& message) override {
    const auto table = wire::write_route_table(task.action, task.model, task.tags, {});
    const auto payload = wire::write_task_payload(task.payload);
    message.resize(kPad + wire::kLeadBytes + table.size() + payload.size());
    const auto datagram = datagram_in(message);
    wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Send);
    header.mutate_boot_id(1);
    header.mutate_session(task.session);
    header.mutate_worker_session(task.worker_session);
    header.mutate_attempt(static_cast<std::uint8_t>(task.attempt));
    header.mutate_slot(static_cast<std::uint16_t>(task.slot));
    header.mutate_sequence(task.sequence);
    header.mutate_ttl_ms(task.ttl_ms);
    std::memcpy(header.mutable_task_id()->Data(), task.task_id.data(), task.task_id.size());
    std::memcpy(header.mutable_trace_id()->Data(), task.trace_id.data(), task.trace_id.size());
    std::memcpy(header.mutable_parent_span()->Data(), task.parent_span.data(), task.parent_span.size());
    header.mutate_table_length(static_cast<std::uint16_t>(table.size()));
    header.mutate_message_length(static_cast<std::uint32_t>(table.size() + payload.size()));
    std::memcpy(datagram.data() + wire::kLeadBytes, table.data(), table.size());
    std::memcpy(datagram.data() + wire::kLeadBytes + table.size(), payload.data(), payload.size());
  }

  std::uint64_t route(std::string& message, const Rewrite& rewrite) override {
    const auto datagram = datagram_in(message);
    if (!is_whole_task(datagram)) return 0;
    const auto table = wire::read_route_table(wire::table_of(datagram));
    if (!table) return 0;
    wire::Header& header = wire::header_of(datagram);
    RouteDigest digest;
    digest.add(header.session());
    digest.add(header.slot());
    digest.add(header.sequence());
    digest.add(header.ttl_ms());
    digest.add(table->action);
    digest.add(table->model);
    for (const std::string_view tag : table->tag_list()) digest.add(tag);
    header.mutate_attempt(static_cast<std::uint8_t>(rewrite.attempt));
    header.mutate_worker_session(rewrite.worker_session);
    header.mutate_ttl_ms(rewrite.ttl_ms);
    return digest.value();
  }

  bool decode(const std::string& message, CodecTask& task) override {
    const auto datagram = std::as_bytes(std::span(message)).subspan(kPad);
    if (!is_whole_task(datagram)) return false;
    const auto table = wire::read_route_table(wire::table_of(datagram));
    auto payload = wire::read_task_payload(wire::payload_of(datagram));
    if (!table || !payload) return false;
    const wire::Header& header = wire::header_of(datagram);
    task.session = header.session();
    task.worker_session = header.worker_session();
    task.attempt = header.attempt();
    task.slot = header.slot();
    task.sequence = header.sequence();
    task.ttl_ms = header.ttl_ms();
    std::memcpy(task.task_id.data(), header.task_id()->Data(), task.task_id.size());
    std::memcpy(task.trace_id.data(), header.trace_id()->Data(), task.trace_id.size());
    std::memcpy(task.parent_span.data(), header.parent_span()->Data(), task.parent_span.size());
    task.action = table->action;
    task.model = table->model;
    task.tags.assign(table->tag_list().begin(), table->tag_list().end());
    task.payload = std::move(*payload);
    return true;
  }
};

}  // namespace

std::unique_ptr<Codec> make_mcplane_codec() { return std::make_unique<McplaneCodec>(); }

}  // namespace mcplane::perf
