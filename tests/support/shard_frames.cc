// The frames that peers of a rig send: sound ones, whose specs a test may break.
#include "support/shard_rig.h"
#include "wire/payload.h"
#include "wire/topic.h"

namespace mcplane::testing {

FrameSpec ShardRig::spec_of(const Peer& peer, wire::FrameType type) const {
  FrameSpec spec = sample_spec(type, peer.spec.family, peer.spec.vlan);
  spec.source_mac = peer.mac;
  spec.source = peer.address;
  spec.destination.port = static_cast<std::uint16_t>(kOurPort + raw(peer.spec.shard));
  if (type == wire::FrameType::Hello || type == wire::FrameType::Retry) return spec;
  spec.edit = [type, session = peer.session.value](wire::Header& header) {
    header.mutate_session(session);
    if (type == wire::FrameType::Result || type == wire::FrameType::Ack) header.mutate_worker_session(session);
  };
  return spec;
}

FrameSpec ShardRig::send_spec(const Peer& client, std::uint16_t slot, std::uint32_t sequence,
                              std::uint32_t ttl_ms) const {
  FrameSpec spec = spec_of(client, wire::FrameType::Send);
  spec.edit = [=, session = client.session.value](wire::Header& header) {
    header.mutate_session(session);
    header.mutate_attempt(0);
    header.mutate_slot(slot);
    header.mutate_sequence(sequence);
    header.mutate_ttl_ms(ttl_ms);
    wire::set_token(header, {});
  };
  return spec;
}

FrameSpec ShardRig::publish_spec(const Peer& peer, std::string_view topic, std::string_view payload) const {
  FrameSpec spec = spec_of(peer, wire::FrameType::Publish);
  spec.table = wire::write_publication(topic);
  spec.payload = to_bytes(payload);
  return spec;
}

FrameSpec ShardRig::cancel_spec(const Peer& client, std::uint16_t slot, std::uint32_t sequence) const {
  FrameSpec spec = spec_of(client, wire::FrameType::Cancel);
  spec.edit = [=, session = client.session.value](wire::Header& header) {
    header.mutate_session(session);
    header.mutate_worker_session(0);
    header.mutate_slot(slot);
    header.mutate_sequence(sequence);
  };
  return spec;
}

FrameSpec ShardRig::pulled_spec(const Peer& client, const wire::Header& resend, std::uint32_t ttl_ms) const {
  FrameSpec spec = send_spec(client, resend.slot(), resend.sequence(), ttl_ms);
  spec.edit = [edit = spec.edit, resend](wire::Header& header) {
    edit(header);
    header.mutate_flags(header.flags() | raw(wire::Flag::Retry));
    header.mutate_attempt(resend.attempt());
    wire::set_token(header, wire::token_of(resend));
  };
  return spec;
}

FrameSpec ShardRig::result_spec(const Peer& worker, const wire::Header& route, std::string_view text) const {
  FrameSpec spec = spec_of(worker, wire::FrameType::Result);
  spec.destination.port = static_cast<std::uint16_t>(kOurPort + raw(wire::token_of(route).shard()));
  spec.payload = wire::write_answer(text);
  spec.edit = [route](wire::Header& header) {
    const wire::Header answer = header;
    header = route;
    header.mutate_type(wire::FrameType::Result);
    header.mutate_reason(wire::Reason::Ok);
    header.mutate_flags(0);
    header.mutate_executed(wire::Executed::Yes);
    header.mutate_sequence(1);
    header.mutate_ttl_ms(0);
    header.mutate_table_length(0);
    header.mutate_message_length(answer.message_length());
    header.mutate_worker_us(1234);
  };
  return spec;
}

FrameSpec ShardRig::ack_spec(const Peer& peer, const wire::Header& about, wire::FrameType answers,
                             wire::Reason reason) const {
  FrameSpec spec = spec_of(peer, wire::FrameType::Ack);
  spec.destination.port = static_cast<std::uint16_t>(kOurPort + raw(wire::token_of(about).shard()));
  spec.edit = [=, session = peer.session.value](wire::Header& header) {
    header = about;
    header.mutate_type(wire::FrameType::Ack);
    header.mutate_session(session);
    header.mutate_flags(0);
    header.mutate_table_length(0);
    header.mutate_message_length(0);
    header.mutate_answers(answers);
    header.mutate_reason(reason);
  };
  return spec;
}

FrameSpec ShardRig::stop_spec(const Peer& worker, const wire::Header& cancel, wire::Reason reason) const {
  return ack_spec(worker, cancel, wire::FrameType::Cancel, reason);
}

FrameSpec ShardRig::outcome_ack_spec(const Peer& client, const wire::Header& outcome) const {
  return ack_spec(client, outcome, wire::FrameType::Deliver, wire::Reason::Ok);
}

FrameSpec ShardRig::route_ack_spec(const Peer& worker, const wire::Header& route, wire::Reason reason) const {
  return ack_spec(worker, route, wire::FrameType::Route, reason);
}

}  // namespace mcplane::testing
