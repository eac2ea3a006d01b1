// What the control thread is told at start. Plain values, validated by app; constant afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/types.h"
#include "control/config/history.h"
#include "wire/address.h"

namespace spdlog {
class logger;
}

namespace mcplane::control {

class Prober;
class SpanSink;

struct BufferUse {
  std::uint64_t total = 0, free = 0;  // packet buffers
};

// What a port is and has done, for people.
struct PortState {
  std::string name;
  bool link_up = true;
  std::uint16_t queues = 0;
  std::string offloads;
  std::uint64_t rx_frames = 0, tx_frames = 0, rx_missed = 0, rx_errors = 0, tx_errors = 0, rx_no_buffer = 0;
};

// Bytes of the tables, for people.
struct MemoryUse {
  std::size_t task_bytes = 0;           // a task in flight
  std::size_t worker_bytes = 0;         // a worker, shared by all shards
  std::size_t worker_shard_bytes = 0;   // a worker on each shard
  std::size_t session_shard_bytes = 0;  // any session, on each shard
  std::size_t tables_bytes = 0;         // all of them
};

// What the allocator holds, bytes.
struct HeapUse {
  std::size_t allocated = 0, active = 0, metadata = 0, resident = 0, mapped = 0, retained = 0;
};

// Questions that only app can answer; called on the control thread, may be empty.
struct Hooks {
  std::function<BufferUse()> buffers;             // empty: both 0
  std::function<bool(PortId)> link_up;            // empty: always up; asked every 10 ms a port
  std::function<std::vector<PortState>()> ports;  // by PortId; for reports only, so it may take its time
  std::function<HeapUse()> heap{};                // empty: all 0
};

// A change that somebody asked for on the admin socket, and what was answered.
struct AuditEntry {
  std::string user;       // by the socket's word; "" when it had none
  std::string command;    // "/v1/config/apply"
  std::string arguments;  // "by=ada&confirm-within-ms=5000"
  int status = 0;         // HTTP's
};

struct ControlOptions {
  std::uint16_t base_port = 4'800;            // UDP port of shard 0
  std::uint16_t mtu = 1'500;                  // largest IP packet, bytes
  std::uint32_t heartbeat_interval_ms = 100;  // workers, and who is both
  std::uint32_t client_heartbeat_interval_ms = 1'000;
  std::uint32_t max_ack_delay_us = 1'000;
  // Tasks sent to a worker ahead of free slots, as a share of its slots, at most (workers/look_ahead.h). 0: none.
  double look_ahead_max = 8;
  std::uint32_t retry_after_ms = 1'000;  // asked of a peer whose HELLO finds no room
  std::uint32_t max_sessions = 4'096;    // at most SharedOptions::sessions
  std::uint32_t max_clients = 1'024;     // client slot ranges, over all shards
  std::uint16_t client_slots = 1'024;    // granted to each client
  std::string version;
  std::vector<unsigned> cores;           // CPU of each shard, for people
  std::uint64_t tsc_hz = 1'000'000'000;  // of the time-stamp counter that cores measure with
  // Shards that share a CPU wait for the scheduler, and their pauses are no stalls.
  bool cores_share_cpu = false;
  std::vector<std::string> port_names{};               // by PortId, as the user knows them; may be empty
  std::vector<std::vector<wire::IpAddress>> gateways;  // by PortId; at most one a family and port
  MemoryUse memory{};
  Hooks hooks;
  SpanSink* spans = nullptr;                       // outlives control; null: nobody wants them
  std::function<void(const AuditEntry&)> audit{};  // any thread; never blocks; empty: nobody writes it down
  Prober* prober = nullptr;                        // outlives control; null: nobody is asked, heartbeats are enough
  ConfigDocument config{};                         // what runs first
  std::shared_ptr<spdlog::logger> logger;          // null: silent
};

}  // namespace mcplane::control
