#include "report/graphviz.h"

#include "core/error.h"
#include "core/log.h"
#include "core/process.h"
#include "core/text.h"

namespace compress::report {

namespace {

constexpr const char* kProgram = "dot";

std::filesystem::path require_dot(const std::string& what) {
  const auto program = find_program(kProgram);
  if (!program)
    throw request_error("{} needs the program '{}' of Graphviz, which is not installed", what, kProgram)
        .hint("install it (Debian: apt-get install graphviz), or write a .dot file, which needs nothing");
  return *program;
}

}  // namespace

bool is_picture(std::string_view ending) {
  return ending == ".svg" || ending == ".png" || ending == ".pdf";
}

void require_graphviz(const std::filesystem::path& file) {
  require_dot("the picture '" + file.string() + "'");
}

std::string draw(const std::string& dot, std::string_view ending) {
  auto result = run_program(require_dot("a picture"), {"-T" + std::string(ending.substr(1))}, dot);
  const auto words = trim(result.errors);
  if (result.status != 0 || result.output.empty())
    throw run_error("Graphviz could not draw the network: {}", words.empty() ? "it said nothing" : words)
        .hint("write a .dot file and draw it with another of Graphviz's programs");
  if (!words.empty())
    log::warning("[graphviz] {}{}", words, ending == ".png" ? " (.svg and .pdf have no largest size)" : "");
  return std::move(result.output);
}

}  // namespace compress::report
