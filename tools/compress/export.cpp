// compress export M: a model as an ONNX file.
#include "run/export.h"

#include "command.h"
#include "core/text.h"
#include "io/onnx.h"
#include "quant/encodings/encodings.h"
#include "quant/export/export_formats.h"
#include "run/preflight.h"

namespace compress::tools {

namespace {

struct Flags {
  ModelFlags model;
  schedule::ExportConfig config;
};

void export_file(const Flags& flags) {
  flags.config.check();
  run::require_writable_file(flags.config.file);
  const auto graph = open_model(flags.model);
  const auto file = run::export_model(graph, flags.config, flags.config.file);
  auto text = fmt::format("wrote {} ({}, opset {}, {})\n", flags.config.file, flags.config.format, file.opset,
                          human_bytes(file.bytes));
  nlohmann::json object{
      {"file", flags.config.file}, {"format", flags.config.format}, {"opset", file.opset}, {"bytes", file.bytes}};
  for (const auto& path : file.encodings) {
    text += fmt::format("wrote {}\n", path.string());
    object["encodings"].push_back(path.string());
  }
  print(object, text);
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.declare(app);
  app.add_option("-o,--output", flags->config.file, "file to write")->required();
  app.add_option("--format", flags->config.format, quant::export_format_help());
  app.add_option("--encodings", flags->config.encodings,
                 "also write scales and ranges to a file beside OUTPUT: " +
                     join(quant::encodings_writers().names(), ", "))
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option(
      "--opset", flags->config.opset,
      fmt::format("ONNX opset, 13 to {}; without it {}, or what the model needs", io::kNewestOpset, io::kUsualOpset));
  app.add_flag("--external-data", flags->config.external_data,
               "write the tensors to OUTPUT.data, as it happens anyway above 2 GB");
  app.add_option_function<std::string>(
      "--overflow-guard",
      [flags](const std::string& word) { flags->config.overflow_guard = quant::overflow_guard(word); },
      quant::kOverflowGuardDoc);
  return [flags] { export_file(*flags); };
}

}  // namespace

extern const Command export_command;
const Command export_command{"export", "write a model as an ONNX file",
                             "compress export runs/lenet5 --format onnx-qdq --output lenet5.onnx", add};

}  // namespace compress::tools
