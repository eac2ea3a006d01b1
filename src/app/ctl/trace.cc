// See trace.h. A line with resourceSpans is OTLP; any other that holds the trace id is a log's. Files are read line
// by line, so they may be of any size.
#include "app/ctl/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <istream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "wire/trace.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::size_t kDepthMax = 32;
// Said already, by the tree itself.
constexpr std::string_view kSaid[] = {"messaging.system", "messaging.operation.name", "messaging.operation.type",
                                      "messaging.destination.name", "error.type"};

constexpr std::string_view kCompressed[] = {".gz", ".xz", ".zst", ".bz2"};

// What it appends traces and log lines to.
std::vector<std::string> files_of_appliance(std::string_view config) {
  std::vector<std::string> files;
  const Json json = Json::parse(config, nullptr, false);
  if (!json.is_object() || !json.contains("values")) return files;
  for (const Json& value : json["values"])
    if (const std::string key = value.value("key", ""); key == "appliance.trace-file" || key == "appliance.log-file")
      files.push_back(value.value("value", ""));
  return files;
}

std::vector<std::string> files_to_look_in(const TraceFlags& flags) {
  if (!flags.files.empty()) return flags.files;
  const auto reply = try_ask(flags.admin, {Method::kGet, "/v1/config"});
  return usual_files(reply && reply->status == 200 ? std::string_view(reply->body) : std::string_view{}, kLogFolder);
}

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

std::uint64_t number(const Json& text) {
  const auto& digits = text.get_ref<const std::string&>();
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// The one member of an AnyValue, as text.
std::string value_text(const Json& value) {
  if (value.empty()) return "";
  const Json& held = value.front();
  return held.is_string() ? held.get<std::string>() : held.dump();
}

std::string attribute(const Json& attributes, std::string_view key) {
  for (const Json& entry : attributes)
    if (entry.at("key") == key) return value_text(entry.at("value"));
  return "";
}

TraceFound::Span span_of(const Json& json, const Json& resource) {
  TraceFound::Span span;
  span.service = attribute(resource, "service.name");
  span.instance = attribute(resource, "service.instance.id");
  span.id = json.at("spanId").get<std::string>();
  span.parent = json.value("parentSpanId", "");
  span.name = json.at("name").get<std::string>();
  span.start_ns = number(json.at("startTimeUnixNano"));
  span.end_ns = std::max(number(json.at("endTimeUnixNano")), span.start_ns);
  if (json.contains("status")) span.error = json.at("status").value("message", "");
  for (const Json& entry : json.at("attributes"))
    span.attributes.emplace_back(entry.at("key").get<std::string>(), value_text(entry.at("value")));
  return span;
}

void read_request(const Json& request, std::string_view trace_id, TraceFound& found) {
  for (const Json& of_resource : request.at("resourceSpans"))
    for (const Json& of_scope : of_resource.at("scopeSpans"))
      for (const Json& json : of_scope.at("spans")) {
        if (json.at("traceId") != trace_id) continue;
        TraceFound::Span span = span_of(json, of_resource.at("resource").at("attributes"));
        const auto same = [&span](const TraceFound::Span& known) { return known.id == span.id; };
        if (std::ranges::none_of(found.spans, same)) found.spans.push_back(std::move(span));
      }
}

double ms(std::uint64_t ns) { return static_cast<double>(ns) / 1e6; }

class Tree {
 public:
  explicit Tree(const TraceFound& found) {
    std::set<std::string_view> ids;
    for (const auto& span : found.spans) {
      ids.insert(span.id);
      begin_ns_ = std::min(begin_ns_, span.start_ns);
    }
    // Whose parent is in none of the files stands by itself.
    for (const auto& span : found.spans) children_[ids.contains(span.parent) ? span.parent : ""].push_back(&span);
  }

  std::string text() && {
    add("", 0);
    return std::move(text_);
  }

 private:
  void add(const std::string& parent, std::size_t depth) {
    const auto children = children_.find(parent);
    if (children == children_.end() || depth > kDepthMax) return;
    for (const TraceFound::Span* const span : children->second) {
      text_ += fmt::format("{:>12.3f} {:>12.3f}  {:{}}{}  {}{}\n", ms(span->start_ns - begin_ns_),
                           ms(span->end_ns - span->start_ns), "", 2 * depth, one_line(span->name),
                           one_line(span->service), details(*span));
      if (!span->id.empty()) add(span->id, depth + 1);
    }
  }

  static std::string details(const TraceFound::Span& span) {
    std::string text = span.error.empty() ? "" : " ERROR " + one_line(span.error);
    for (const auto& [key, value] : span.attributes)
      if (std::ranges::find(kSaid, key) == std::end(kSaid))
        text += fmt::format(" {}={}", one_line(key.substr(key.rfind('.', key.rfind('.') - 1) + 1)), one_line(value));
    return text;
  }

  std::map<std::string, std::vector<const TraceFound::Span*>, std::less<>> children_;  // by parent; "": none
  std::uint64_t begin_ns_ = ~std::uint64_t{0};
  std::string text_;
};

}  // namespace

void add_trace_command(CLI::App& command, TraceFlags& flags) {
  command.add_option("TRACE_ID", flags.trace_id, "32 hexadecimal digits, as mcplane-ctl send prints them")->required();
  add_texts(
      command, "--files", flags.files, "PATH,...",
      "Trace files and logs of client, broker and workers; repeatable. Without it: those of the appliance, those that "
      "MCPLANE_TRACE_FILE and MCPLANE_LOG_FILE name, and all in /var/log/mcplane");
  add_admin_flags(command, flags.admin);
}

std::vector<std::string> usual_files(std::string_view config, const std::string& folder) {
  std::vector<std::string> files;
  const auto add = [&files](const fs::path& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return;
    const std::string name = fs::canonical(path, error).string();
    if (!name.empty() && std::ranges::find(files, name) == files.end()) files.push_back(name);
  };
  for (const std::string& path : files_of_appliance(config)) add(path);
  for (const char* const variable : {"MCPLANE_TRACE_FILE", "MCPLANE_LOG_FILE"})
    if (const char* const path = std::getenv(variable)) add(path);
  std::error_code error;
  std::vector<fs::path> there;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (std::ranges::find(kCompressed, entry.path().extension()) == std::end(kCompressed))
      there.push_back(entry.path());
  std::ranges::sort(there);
  for (const fs::path& path : there) add(path);
  return files;
}

void read_trace(std::istream& lines, const std::string& file, std::string_view trace_id, TraceFound& found) {
  for (std::string line; std::getline(lines, line);) {
    if (line.find(trace_id) == std::string::npos) continue;
    if (line.find("\"resourceSpans\"") == std::string::npos) {
      found.lines.push_back({file, line});
      continue;
    }
    try {
      read_request(Json::parse(line), trace_id, found);
    } catch (const Json::exception&) {
      ++found.broken;  // cut off, or of another hand
    }
  }
  std::ranges::stable_sort(found.spans, {}, &TraceFound::Span::start_ns);
}

std::string trace_text(const TraceFound& found) {
  std::string text;
  if (!found.spans.empty())
    text += fmt::format("{:>12} {:>12}  SPAN  SERVICE\n", "START, ms", "TOOK, ms") + Tree(found).text();
  for (const auto& [file, line] : found.lines) text += fmt::format("{}: {}\n", one_line(file), one_line(line));
  if (found.broken > 0) text += fmt::format("{} lines of spans could not be read\n", found.broken);
  return text;
}

std::string trace_json(const TraceFound& found, std::string_view trace_id) {
  Json json = {{"trace_id", trace_id},
               {"spans", Json::array()},
               {"lines", Json::array()},
               {"broken", found.broken},
               {"files", found.files}};
  for (const auto& span : found.spans) {
    json["spans"].push_back({{"service", span.service},
                             {"instance", span.instance},
                             {"span_id", span.id},
                             {"parent_span_id", span.parent},
                             {"name", span.name},
                             {"start_unix_ns", span.start_ns},
                             {"end_unix_ns", span.end_ns},
                             {"error", span.error},
                             {"attributes", Json::object()}});
    for (const auto& [key, value] : span.attributes) json["spans"].back()["attributes"][key] = value;
  }
  for (const auto& [file, line] : found.lines) json["lines"].push_back({{"file", file}, {"line", line}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int run_trace(const TraceFlags& flags) {
  const auto refuse = [](const std::string& line, int code) { return end(failure(kCtlProgram, line, code)); };
  if (!wire::parse_trace_id(flags.trace_id))
    return refuse(quote(flags.trace_id) + " is no trace id; type 32 hexadecimal digits in lower case", kExitUsage);
  TraceFound found;
  found.files = files_to_look_in(flags);
  if (found.files.empty())
    return refuse(fmt::format("no file to look in: no appliance at {} writes one, MCPLANE_TRACE_FILE and "
                              "MCPLANE_LOG_FILE name none, and none is in {}; type --files PATH,..., what --trace-file "
                              "and --log-file of client, broker and workers name",
                              flags.admin.path, kLogFolder),
                  kExitUsage);
  for (const std::string& path : found.files) {
    std::ifstream file(path);
    if (!file) return refuse("cannot read " + quote(path) + ": " + std::strerror(errno), kExitRuntime);
    read_trace(file, path, flags.trace_id, found);
  }
  if (found.spans.empty() && found.lines.empty())
    return refuse(
        fmt::format("nothing of trace {} in {}; was it sampled (all that fail are), has it not ended yet, or are "
                    "there other files (--files)?",
                    flags.trace_id, joined(found.files)),
        kExitRuntime);
  std::fputs((flags.admin.json ? trace_json(found, flags.trace_id) : trace_text(found)).c_str(), stdout);
  return kExitOk;
}

}  // namespace mcplane::app
