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
Answer await_answer(Control& control, std::chrono::milliseconds patience, std::string_view busy,
                    std::function<void(const Tell&)> request) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  const Tell tell = [promise](Answer answer) { promise->set_value(std::move(answer)); };
  if (!control.post([request = std::move(request), tell] { request(tell); }))
    return error_answer(503, "too many requests wait");
  if (future.wait_for(patience) != std::future_status::ready) return error_answer(503, busy);
  return future.get();
}

Ask ask_of(Control& control, std::chrono::milliseconds patience) {
  return [&control, patience](std::function<Answer(Control&)> answer) {
    return await_answer(control, patience, "the control thread is busy",
                        [&control, answer = std::move(answer)](const Tell& tell) { tell(answer(control)); });
  };
}

}  // namespace mcplane::control
