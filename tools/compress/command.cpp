#include "command.h"

#include "zoo.h"

#include <fmt/format.h>

namespace compress::tools {

GlobalOptions& global() {
  static GlobalOptions options;
  return options;
}

void print(const nlohmann::json& object, const std::string& text) {
  const auto output = global().json ? object.dump(2) + "\n" : text;
  if (std::fwrite(output.data(), 1, output.size(), stdout) != output.size() || std::fflush(stdout) != 0)
    throw run_error("standard output cannot be written");
}

Graph open_model(const std::string& spec) {
  return models::open_model(spec, 1);
}

}  // namespace compress::tools
