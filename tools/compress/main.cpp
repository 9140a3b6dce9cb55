// compress: parse the command line, run one subcommand, render the error if there is one, choose the exit status.
#include "command.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/text.h"

#include <cstdio>

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

int exit_status(Fault fault) {
  switch (fault) {
  case Fault::check: return 1;
  case Fault::request: return 2;
  case Fault::run: return 3;
  case Fault::interrupted: return 130;
  }
  return 3;
}

/// CLI11's own errors, with the nearest subcommand when one is misspelt.
int usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::string hint;
  if (argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> names;
    for (const auto* command : commands()) names.emplace_back(command->name);
    if (std::find(names.begin(), names.end(), argv[1]) == names.end()) {
      std::fprintf(stderr, "error: unknown command '%s'\n", argv[1]);
      hint = did_you_mean(argv[1], names);
      if (hint.empty()) hint = "the commands are " + join_words(names);
      std::fprintf(stderr, "  hint: %s\n", hint.c_str());
      return exit_status(Fault::request);
    }
  }
  std::fprintf(stderr, "error: %s\n  hint: see 'compress%s --help'\n", error.what(),
               app.get_subcommands().empty() ? "" : (" " + app.get_subcommands()[0]->get_name()).c_str());
  return exit_status(Fault::request);
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
    return usage_error(app, error, argc, argv);
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
    const auto error = compress::current_error();
    compress::Progress::hide();
    std::fprintf(stderr, "%s\n", error.render().c_str());
    return compress::tools::exit_status(error.fault());
  }
}
