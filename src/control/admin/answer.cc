// See answer.h.
#include "control/admin/answer.h"

#include <httplib.h>

#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/control.h"

namespace mcplane::control {

void give(const Answer& answer, httplib::Response& response) {
  response.status = answer.status;
  response.set_content(answer.body, answer.type);
}

Answer error_answer(int status, std::string_view error) {
  return {status, nlohmann::json{{"error", error}}.dump() + "\n", kJson};
}

// The request outlives this call, and maybe the server, when it is late: it holds nothing of either.
Ask ask_of(Control& control, std::chrono::milliseconds patience) {
  return [&control, patience](std::function<Answer(Control&)> answer) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto future = promise->get_future();
    if (!control.post([promise, answer = std::move(answer), &control] { promise->set_value(answer(control)); }))
      return error_answer(503, "too many requests wait");
    if (future.wait_for(patience) != std::future_status::ready) return error_answer(503, "the control thread is busy");
    return future.get();
  };
}

}  // namespace mcplane::control
