// The file is written as it comes: what an interrupted capture has so far is a sound file.
#include "app/ctl/capture.h"

#include <fmt/format.h>
#include <httplib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

constexpr std::uint32_t kGraceSeconds = 5;

std::string counts_text(const Json& answer) {
  const auto missed = answer.at("missed").get<std::uint64_t>();
  return fmt::format("{} frames{}; prompts and answers are in them: keep the file as safe as those\n",
                     answer.at("frames").get<std::uint64_t>(),
                     missed == 0 ? "" : fmt::format(", {} more matched and found no room", missed));
}

int close_nothing(std::FILE*) { return 0; }

File open_file(const std::string& path) {
  return path == "-" ? File(stdout, close_nothing) : File(std::fopen(path.c_str(), "wb"), std::fclose);
}

int cannot_write(const std::string& path) {
  return end(failure(kCtlProgram, "cannot write " + quote(path) + ": " + std::strerror(errno), kExitRuntime));
}

// A refusal's body goes to `refusal`, whatever else to the file.
struct Receipt {
  std::FILE* file = nullptr;
  int status = 0;
  std::string refusal{};
  bool written = true;

  bool take(const char* bytes, std::size_t count) {
    if (status != 200) {
      refusal.append(bytes, count);
      return true;
    }
    written = std::fwrite(bytes, 1, count, file) == count && std::fflush(file) == 0;
    return written;
  }
};

// Whether the appliance answered at all.
bool receive(const CaptureFlags& flags, const Request& order, Receipt& receipt) {
  httplib::Client client = connect_admin(flags.admin.path);
  client.set_read_timeout(flags.seconds + kGraceSeconds);
  httplib::Request request;
  request.method = "POST";
  request.path = order.target;
  request.response_handler = [&receipt](const httplib::Response& response) {
    receipt.status = response.status;
    return true;
  };
  request.content_receiver = [&receipt](const char* bytes, std::size_t count, std::uint64_t, std::uint64_t) {
    return receipt.take(bytes, count);
  };
  const httplib::Result result = client.send(request);
  return result || receipt.status != 0;
}

// To stderr where the frames went to stdout.
int say_counts(const CaptureFlags& flags) {
  const auto reply = ask(flags.admin, {Method::kGet, "/v1/capture"});
  if (!reply) return kExitBrokerUnreachable;
  if (flags.file != "-") return print_reply(flags.admin, *reply, capture_text);
  const auto text = flags.admin.json ? Parsed<std::string>::good(reply->body) : capture_text(reply->body);
  std::fputs(text ? text.value->c_str() : text.error.c_str(), stderr);
  return text ? kExitOk : kExitRuntime;
}

}  // namespace

void add_capture_flags(CLI::App& command, CaptureFlags& flags) {
  add_admin_flags(command, flags.admin);
  command.add_option("FILE", flags.file, "The pcap file, overwritten; -: standard output")->required()->type_name("");
  add_count(command, "--count", flags.count, "Frames, at most", {1, 1'000'000});
  add_count(command, "--seconds", flags.seconds, "Seconds, at most", {1, 3'600});
  add_text(command, "--peer", flags.peer, "IP", "Only frames from or to this client or worker");
  add_text(command, "--type", flags.types, "TYPES",
           "Only frames of these types, with commas: SEND,ROUTE,RESULT,DELIVER");
  add_count(command, "--snap", flags.snap_bytes, "Bytes of a frame, at most", {1, 1'600});
}

Request capture_request(const CaptureFlags& flags) {
  return {Method::kPost, fmt::format("/v1/capture?count={}&seconds={}&snap={}&peer={}&type={}", flags.count,
                                     flags.seconds, flags.snap_bytes, encoded(flags.peer), encoded(flags.types))};
}

Parsed<std::string> capture_text(std::string_view body) { return table_of(body, counts_text); }

int run_capture(const CaptureFlags& flags) {
  const Request request = capture_request(flags);
  const File file = open_file(flags.file);
  if (file == nullptr) return cannot_write(flags.file);
  Receipt receipt{.file = file.get()};
  if (!receive(flags, request, receipt)) return say_unreachable(flags.admin);
  if (!receipt.written) return cannot_write(flags.file);
  if (receipt.status != 200) return print_refusal(request, {receipt.status, receipt.refusal});
  return say_counts(flags);
}

}  // namespace mcplane::app
