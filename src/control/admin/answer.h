// What the admin socket and the HTTP listener answer to one request, and how control is asked for it.
#pragma once

#include <chrono>
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

// Runs `request` on the control thread, which tells the answer then or later, and waits for it; any thread. 503 with
// `busy` when it does not come within `patience`.
using Tell = std::function<void(Answer)>;
Answer await_answer(Control& control, std::chrono::milliseconds patience, std::string_view busy,
                    std::function<void(const Tell&)> request);

// Runs it on the control thread and waits for the answer; any thread. 503 when the control thread is busy.
using Ask = std::function<Answer(std::function<Answer(Control&)>)>;

// `control` outlives it; answers need somebody to poll it within `patience`, else they are 503.
Ask ask_of(Control& control, std::chrono::milliseconds patience);

}  // namespace mcplane::control
