// compress: parse the command line, run one subcommand, render the error if there is one, choose the exit status.
#include "command.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/text.h"
#include "report_error.h"

#include <algorithm>

namespace compress::tools {

#define ENTRY(name) extern const Command name##_command;
#include "commands.def"
#undef ENTRY

const std::vector<const Command*>& commands() {
  static const std::vector<const Command*> all{
#define ENTRY(name) &name##_command,
#include "commands.def"
#undef ENTRY
  };
  return all;
}

namespace {

constexpr const char* kExamples = R"(
Examples:
  compress check schedules/lenet5_fashion_mnist.yaml
  compress run schedules/lenet5_fashion_mnist.yaml --out runs/lenet5
  compress eval runs/lenet5 --data fashion_mnist
  compress summary resnet20_cifar --what compute
  compress explain AutomatedGradualPruner)";

/// An argument that was not expected, when CLI11's message names one.
std::string unexpected_argument(const CLI::ParseError& error) {
  const std::string_view text = error.what();
  const auto colon = text.find(": ");
  return error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) && colon != std::string_view::npos
             ? std::string(text.substr(colon + 2))
             : "";
}

/// An option that takes all words behind it and has perhaps taken one that was meant for somebody else; "" when there
/// is none.
std::string greedy_option(const CLI::App& command) {
  for (const auto* option : command.get_options())
    if (option->get_allow_extra_args() && option->get_items_expected_max() > 1 && option->count() > 1)
      return option->get_name();
  return "";
}

/// CLI11's own errors, with the nearest subcommand when one is misspelt.
Error usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  std::vector<std::string> names;
  for (const auto* command : commands()) names.emplace_back(command->name);
  if (argc > 1 && argv[1][0] != '-' && std::find(names.begin(), names.end(), argv[1]) == names.end()) {
    const auto near = did_you_mean(argv[1], names);
    return request_error("unknown command '{}'", argv[1])
        .hint(near.empty() ? "the commands are " + join_words(names) : near);
  }
  const auto chosen = app.get_subcommands();
  const auto help = fmt::format("see 'compress{} --help'", chosen.empty() ? "" : " " + chosen[0]->get_name());
  const auto extra = unexpected_argument(error);
  if (!extra.empty() && extra[0] != '-' && extra.find('=') != std::string::npos)
    return request_error("'{}' is not expected here", extra)
        .hint("each value has its own --set: --set a=1 --set b=2")
        .hint(help);
  const bool misses = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  if (const auto greedy = misses && !chosen.empty() ? greedy_option(*chosen[0]) : ""; !greedy.empty())
    return request_error("{}", error.what())
        .hint(fmt::format("'{}' takes all words that follow it: put what else there is before it", greedy))
        .hint(help);
  return request_error("{}", error.what()).hint(help);
}

void apply_global_options() {
  if (global().verbose) log::set_level(log::Level::debug);
  if (global().quiet) log::set_level(log::Level::warning);
  Progress::enable(!global().quiet && !global().json);
}

int run_command_line(int argc, char** argv) {
  CLI::App app{"Makes trained neural networks smaller, faster and integer-only, from a YAML recipe.", "compress"};
  app.set_version_flag("--version", COMPRESS_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kExamples);
  app.add_flag("--json", global().json, "one JSON object on stdout instead of text");
  app.add_flag("-q,--quiet", global().quiet, "warnings and errors only");
  app.add_flag("-v,--verbose", global().verbose, "details for finding out what happens");
  std::function<void()> chosen;
  for (const auto* command : commands()) {
    auto* sub = app.add_subcommand(command->name, command->doc);
    sub->footer(std::string("Example:\n  ") + command->example);
    sub->callback([body = command->add(*sub), &chosen] { chosen = body; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    global().json = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;
    return report_error(usage_error(app, error, argc, argv));
  }
  apply_global_options();
  install_interrupt_handler();
  chosen();
  return 0;
}

}  // namespace

}  // namespace compress::tools

int main(int argc, char** argv) {
  try {
    return compress::tools::run_command_line(argc, argv);
  } catch (...) {
    return compress::tools::report_error(compress::current_error());
  }
}
