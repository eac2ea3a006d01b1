// One question for a worker's health: a transfer for libcurl, and what it says once it has ended. The prober's thread.
//
// TCP is a connection and no more; HTTP a GET, its body left unread; gRPC's Health/Check is one HTTP/2 POST of a few
// bytes, which takes no gRPC library: grpc++ would bring 30 libraries and threads of its own for it. One mechanism
// serves all three, so timeouts and limits are the same.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "control/workers/prober.h"

namespace mcplane::app {

class ProbeTransfer {
 public:
  // What a server may send before it is cut off.
  static constexpr std::size_t kHeaderBytesMax = 64U << 10, kBodyBytesMax = 64U << 10;

  // libcurl is initialised.
  explicit ProbeTransfer(control::ProbeRequest request);
  ProbeTransfer(const ProbeTransfer&) = delete;
  ProbeTransfer& operator=(const ProbeTransfer&) = delete;

  CURL* handle() const noexcept { return handle_.get(); }
  static ProbeTransfer& of(CURL* handle) noexcept;
  // After its end.
  control::ProbeAnswer answer(CURLcode code) const;

  // For libcurl: anything but the whole length ends the transfer.
  std::size_t on_header(std::string_view line);
  std::size_t on_body(std::string_view bytes);

 private:
  struct Free {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
  };

  void ask_grpc();
  std::string failure(CURLcode code) const;
  bool grpc_serves(std::string& said) const;

  const control::ProbeRequest request_;
  std::unique_ptr<curl_slist, Free> headers_;
  std::unique_ptr<CURL, Free> handle_;  // goes first: it uses the headers
  std::size_t header_bytes_ = 0, body_bytes_ = 0;
  bool cut_ = false;         // the body was too long
  std::string body_;         // gRPC
  std::string grpc_status_;  // its header or trailer; "": none came
};

}  // namespace mcplane::app
