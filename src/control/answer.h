// What the admin socket answers to one request.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace httplib {
struct Response;
}

namespace mcplane::control {

class Control;

inline constexpr char kText[] = "text/plain", kJson[] = "application/json";

struct Answer {
  int status = 200;  // HTTP's
  std::string body;
  const char* type = kJson;
};

void give(const Answer& answer, httplib::Response& response);

// {"error": ...}
Answer error_answer(int status, std::string_view error);

// Runs it on the control thread and waits for the answer; any thread. 503 when the control thread is busy.
using Ask = std::function<Answer(std::function<Answer(Control&)>)>;

}  // namespace mcplane::control
