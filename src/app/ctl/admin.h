// `mcplane-ctl status` and `mcplane-ctl nodes`: what the appliance says on its admin socket, as tables for people or
// as the JSON it sent; and what other commands need to ask it. Main thread.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/command_line/admin_socket.h"
#include "app/command_line/cli.h"

namespace mcplane::app {

struct AdminFlags {
  std::string path{kAdminSocket};
  bool json = false;
};

void add_admin_flags(CLI::App& command, AdminFlags& flags);

// Tables of the bodies of GET /v1/info and GET /v1/nodes; an error when the body is not what they send.
Parsed<std::string> status_table(std::string_view body);
Parsed<std::string> nodes_table(std::string_view body);

using Row = std::vector<std::string>;
// "1d 2h", "3m 4s": the two largest units.
std::string age_text(std::uint64_t age_s);
// Columns as wide as their widest cell; the first row has the most cells.
std::string aligned(const std::vector<Row>& rows);
// A string of an answer's JSON, on one line.
std::string string_of(const nlohmann::ordered_json& json);
// "embed, generate"; "-" for none.
std::string list_text(const nlohmann::ordered_json& names);
// A number of an answer's JSON.
std::string figure(const nlohmann::ordered_json& json, const char* key);
// An answer's JSON through `format`; an error when it is no JSON, or `format` misses something in it.
Parsed<std::string> table_of(std::string_view body, std::string (*format)(const nlohmann::ordered_json&));

enum class Method : std::uint8_t { kGet, kPost };
struct Request {
  Method method = Method::kGet;
  std::string target;
  std::string body{};
};
// A value in a target's query.
std::string encoded(const std::string& text);
struct Reply {
  int status = 200;  // HTTP's
  std::string body;
};

// Nothing when nobody answers.
std::optional<Reply> try_ask(const AdminFlags& flags, const Request& request);
// Prints why that may be; returns kExitBrokerUnreachable.
int say_unreachable(const AdminFlags& flags);
// Both.
std::optional<Reply> ask(const AdminFlags& flags, const Request& request);
// Says what the appliance refused, or prints what it answered. Returns the exit code.
int print_refusal(const Request& request, const Reply& reply);
int print_reply(const AdminFlags& flags, const Reply& reply, Parsed<std::string> (*table)(std::string_view));

// Ask and print. Return the exit code.
int ask_and_print(const AdminFlags& flags, const Request& request, Parsed<std::string> (*table)(std::string_view));
int run_status(const AdminFlags& flags);
int run_nodes(const AdminFlags& flags);

}  // namespace mcplane::app
