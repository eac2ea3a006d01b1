// gRPC over HTTP/2: a message is a byte that says whether it is compressed, its length as 4 bytes big-endian, and a
// protobuf. The request is HealthCheckRequest{service = 1}, the response HealthCheckResponse{status = 1}
// (grpc/health/v1/health.proto); how the call itself went is in the trailer grpc-status.
#include "app/appliance/probe_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/types.h"

namespace mcplane::app {
namespace {

using wire::ProbeKind;

constexpr const char* kHealthCheckPath = "/grpc.health.v1.Health/Check";
constexpr std::size_t kGrpcPrefixBytes = 5;
constexpr char kServiceField = 0x0a, kStatusField = 0x08;  // field 1: a string, a number

std::string url_of(const control::ProbeRequest& request) {
  const std::string ip = request.ip.is_v4() ? to_string(request.ip) : "[" + to_string(request.ip) + "]";
  const bool http = request.probe.kind == ProbeKind::kHttp;
  return fmt::format("http://{}:{}{}", ip, request.probe.port, http ? request.probe.target : kHealthCheckPath);
}

std::string grpc_message(const std::string& service) {
  std::string message;
  if (!service.empty()) {
    message += kServiceField;
    std::size_t left = service.size();
    for (; left > 0x7f; left >>= 7) message += static_cast<char>(0x80 | (left & 0x7f));
    message += static_cast<char>(left);
    message += service;
  }
  std::string framed(kGrpcPrefixBytes, '\0');
  framed[3] = static_cast<char>(message.size() >> 8);
  framed[4] = static_cast<char>(message.size() & 0xff);
  return framed + message;
}

std::string lower(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return small;
}

template <auto kMember>
std::size_t hand_on(char* bytes, std::size_t, std::size_t count, void* transfer) {
  return (static_cast<ProbeTransfer*>(transfer)->*kMember)({bytes, count});
}

}  // namespace

ProbeTransfer::ProbeTransfer(control::ProbeRequest request) : request_(std::move(request)), handle_(curl_easy_init()) {
  CHECK(handle_ != nullptr);
  const auto set = [this](CURLoption option, auto value) {
    CHECK(curl_easy_setopt(handle(), option, value) == CURLE_OK);
  };
  const long timeout_ms = static_cast<long>(std::max<std::uint64_t>(request_.timeout_ns / kNsPerMs, 1));
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_URL, url_of(request_).c_str());
  set(CURLOPT_PROTOCOLS_STR, "http");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, timeout_ms);
  set(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  // A connection that is there already would say nothing of the port.
  set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_USERAGENT, "mcplane-probe");
  set(CURLOPT_HEADERFUNCTION, hand_on<&ProbeTransfer::on_header>);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, hand_on<&ProbeTransfer::on_body>);
  set(CURLOPT_WRITEDATA, this);
  if (request_.probe.kind == ProbeKind::kTcp) set(CURLOPT_CONNECT_ONLY, 1L);
  if (request_.probe.kind == ProbeKind::kGrpc) ask_grpc();
}

void ProbeTransfer::ask_grpc() {
  const std::string message = grpc_message(request_.probe.target);
  for (const char* const line : {"Content-Type: application/grpc", "TE: trailers"}) {
    curl_slist* const longer = curl_slist_append(headers_.get(), line);
    CHECK(longer != nullptr);
    std::ignore = headers_.release();  // the longer list has it
    headers_.reset(longer);
  }
  curl_easy_setopt(handle(), CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
  curl_easy_setopt(handle(), CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(handle(), CURLOPT_POSTFIELDSIZE, static_cast<long>(message.size()));
  CHECK(curl_easy_setopt(handle(), CURLOPT_COPYPOSTFIELDS, message.data()) == CURLE_OK);
}

ProbeTransfer& ProbeTransfer::of(CURL* handle) noexcept {
  char* transfer = nullptr;
  curl_easy_getinfo(handle, CURLINFO_PRIVATE, &transfer);
  return *reinterpret_cast<ProbeTransfer*>(transfer);
}

std::size_t ProbeTransfer::on_header(std::string_view line) {
  constexpr std::string_view kName = "grpc-status:";
  header_bytes_ += line.size();
  if (header_bytes_ > kHeaderBytesMax) return 0;
  if (request_.probe.kind == ProbeKind::kGrpc && lower(line.substr(0, kName.size())) == kName) {
    grpc_status_.clear();
    std::ranges::copy_if(line.substr(kName.size()), std::back_inserter(grpc_status_),
                         [](unsigned char c) { return std::isdigit(c) != 0; });
  }
  return line.size();
}

std::size_t ProbeTransfer::on_body(std::string_view bytes) {
  body_bytes_ += bytes.size();
  cut_ = body_bytes_ > kBodyBytesMax;
  if (cut_) return 0;
  if (request_.probe.kind == ProbeKind::kGrpc) body_ += bytes;
  return bytes.size();
}

control::ProbeAnswer ProbeTransfer::answer(CURLcode code) const {
  control::ProbeAnswer answer{.number = request_.number, .session = request_.session, .good = false, .said = {}};
  const bool http = request_.probe.kind == ProbeKind::kHttp;
  // By then the status is there.
  if (code != CURLE_OK && !(http && cut_)) {
    answer.said = failure(code);
    return answer;
  }
  if (request_.probe.kind == ProbeKind::kTcp) {
    answer.said = "connected";
    answer.good = true;
    return answer;
  }
  long status = 0;
  curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
  answer.said = fmt::format("HTTP {}", status);
  answer.good = http ? status == request_.probe.status : status == wire::kHttpOk && grpc_serves(answer.said);
  return answer;
}

std::string ProbeTransfer::failure(CURLcode code) const {
  long error = 0;
  curl_easy_getinfo(handle(), CURLINFO_OS_ERRNO, &error);
  if (code == CURLE_OPERATION_TIMEDOUT) return fmt::format("no answer in {} ms", request_.timeout_ns / kNsPerMs);
  if (code == CURLE_WRITE_ERROR) return "too long an answer";
  if (code == CURLE_COULDNT_CONNECT && error != 0) return lower(std::strerror(static_cast<int>(error)));
  return lower(curl_easy_strerror(code));
}

bool ProbeTransfer::grpc_serves(std::string& said) const {
  constexpr std::string_view kNames[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
  if (grpc_status_ != "0") {
    said = grpc_status_.empty()   ? "no gRPC server"
           : grpc_status_ == "5"  ? "gRPC status 5, service unknown"
           : grpc_status_ == "12" ? "gRPC status 12, no health service"
                                  : "gRPC status " + grpc_status_.substr(0, 3);
    return false;
  }
  // The default value, UNKNOWN, is an empty message.
  const std::string_view message = std::string_view(body_).substr(std::min(body_.size(), kGrpcPrefixBytes));
  const bool short_one = message.size() == 2 && message[0] == kStatusField;
  const auto status = short_one ? static_cast<unsigned char>(message[1]) : 0U;
  if (body_.size() < kGrpcPrefixBytes || body_[0] != 0 || !(short_one || message.empty()) ||
      status >= std::size(kNames)) {
    said = "no health answer";
    return false;
  }
  said = kNames[status];
  return said == "SERVING";
}

}  // namespace mcplane::app
