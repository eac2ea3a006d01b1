// `mcplane-ctl capture`: frames of the appliance, as they are on the wire, into a pcap file. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "app/ctl/admin.h"

namespace mcplane::app {

struct CaptureFlags {
  AdminFlags admin;
  std::string file;  // "-": stdout
  std::uint32_t count = 1'000, seconds = 10, snap_bytes = 1'600;
  std::string peer, types;  // "": any
};

void add_capture_flags(CLI::App& command, CaptureFlags& flags);
Request capture_request(const CaptureFlags& flags);
// What the body of GET /v1/capture says of the one that ended.
Parsed<std::string> capture_text(std::string_view body);
// Returns the exit code.
int run_capture(const CaptureFlags& flags);

}  // namespace mcplane::app
