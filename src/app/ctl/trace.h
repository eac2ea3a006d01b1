// `mcplane-ctl trace`: one task's path by its trace id, out of the trace files (--trace-file) and logs (--log-file) of
// client, broker and workers. Without --files it looks where they usually are on this machine. Main thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "app/command_line/cli.h"
#include "app/ctl/admin.h"

namespace mcplane::app {

struct TraceFlags {
  std::string trace_id;
  std::vector<std::string> files;
  AdminFlags admin;
};

void add_trace_command(CLI::App& command, TraceFlags& flags);

// Where packages and mcplane.service have logs and trace files.
inline constexpr const char* kLogFolder = "/var/log/mcplane";

// Files to look in when none is typed, each once: those that an appliance writes, by the body of its GET /v1/config, ""
// when none answers; those that MCPLANE_TRACE_FILE and MCPLANE_LOG_FILE name here; and what is in the folder, but for
// what a log rotator has compressed. Only files that are there.
std::vector<std::string> usual_files(std::string_view config, const std::string& folder);

// What files say of one trace.
struct TraceFound {
  struct Span {
    std::string service, instance, id, parent, name, error;
    std::uint64_t start_ns = 0, end_ns = 0;                       // since 1970
    std::vector<std::pair<std::string, std::string>> attributes;  // as text
  };
  struct Line {
    std::string file, text;
  };

  std::vector<Span> spans;           // each once, in order of time
  std::vector<Line> lines;           // of logs, as they are
  std::vector<std::string> files{};  // looked in
  std::uint64_t broken = 0;          // lines that looked like spans and are none
};

// Adds what a file's lines say of the trace.
void read_trace(std::istream& lines, const std::string& file, std::string_view trace_id, TraceFound& found);
// A tree of spans, with when each began and how long it took; then the lines. The same as JSON, one object.
std::string trace_text(const TraceFound& found);
std::string trace_json(const TraceFound& found, std::string_view trace_id);

// Reads, prints. Returns the exit code: 1 when nothing is found.
int run_trace(const TraceFlags& flags);

}  // namespace mcplane::app
