#include "report_error.h"

#include "command.h"
#include "core/progress.h"

#include <cstdio>

namespace compress::tools {

namespace {

using nlohmann::json;

json where(const Place& place) {
  json object = json::object();
  if (!place.file.empty()) object["file"] = place.file;
  if (place.line > 0) object["line"] = place.line;
  if (place.column > 0) object["column"] = place.column;
  return object;
}

json to_json(const Error& error) {
  json object{{"message", error.message()},
              {"while", error.contexts()},
              {"hints", error.hints()},
              {"exit_code", exit_status(error.fault())}};
  if (error.place() != Place{}) object["where"] = where(error.place());
  return object;
}

std::string json_line(const Error& error) {
  auto object = to_json(error);
  object["others"] = json::array();
  for (const auto& other : error.others()) object["others"].push_back(to_json(other));
  // Messages quote files, whose bytes need not be UTF-8.
  return json{{"error", std::move(object)}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

int exit_status(Fault fault) {
  switch (fault) {
  case Fault::check: return 1;
  case Fault::request: return 2;
  case Fault::run: return 3;
  case Fault::interrupted: return 130;
  }
  return 3;
}

int report_error(const Error& error) {
  Progress::hide();
  std::fprintf(stderr, "%s\n", (global().json ? json_line(error) : error.render()).c_str());
  return exit_status(error.fault());
}

}  // namespace compress::tools
