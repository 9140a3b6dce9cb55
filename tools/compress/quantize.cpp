// compress quantize M --data D: post-training quantisation by flags. It makes a recipe of them and runs that.
#include "command.h"
#include "core/text.h"
#include "data_flags.h"
#include "outcome.h"
#include "quant/encodings/encodings.h"
#include "quant/export/export_formats.h"
#include "quantize_flags.h"
#include "run/model.h"
#include "run/preflight.h"
#include "zoo.h"

#include <filesystem>

namespace compress::tools {

namespace {

namespace fs = std::filesystem;

struct Flags {
  std::string model, weights, data, output, format, out, name;
  std::vector<std::string> encodings;
  QuantizerFlags quantizer;
  std::vector<std::string> overrides;
  bool print_recipe = false;
};

/// "nets/resnet20.onnx" -> "resnet20_quantized".
std::string run_name(const Flags& flags) {
  if (!flags.name.empty()) return flags.name;
  const auto spec = flags.model.substr(0, flags.model.find('?'));
  return fs::path(spec).lexically_normal().stem().string() + "_quantized";
}

/// A grid that ONNX has no operators for goes into a file beside a model in floating point, unless flags say otherwise.
Yaml export_section(const Flags& flags, const Yaml& quantizer) {
  auto section = Yaml::map();
  const bool beside = flags.format.empty() && run::grid_without_onnx_form(quantizer) != nullptr;
  section.set("format", flags.format.empty() ? Yaml::scalar(beside ? "onnx-float" : "onnx-qdq")
                                             : placed(Yaml::scalar(flags.format), "--format"));
  section.set("file", Yaml::scalar(flags.output.empty() ? "model.onnx" : fs::absolute(flags.output).string(), true));
  auto names = flags.encodings;
  if (beside && names.empty()) names = {"nnie"};
  std::vector<Yaml> encodings;
  for (const auto& name : names) encodings.push_back(Yaml::scalar(name));
  if (!names.empty()) section.set("encodings", placed(Yaml::sequence(std::move(encodings)), "--encodings"));
  return section;
}

Yaml map_of(const char* key, Yaml value) {
  auto map = Yaml::map();
  map.set(key, std::move(value));
  return map;
}

Yaml make_recipe(const Flags& flags) {
  auto root = Yaml::map();
  root.set("version", Yaml::scalar("1"));
  root.set("name", Yaml::scalar(run_name(flags), true));
  root.set("model", placed(parse_yaml(run::model_section(flags.model), "the model"), ""));
  if (!flags.weights.empty())
    root.find("model")->set("weights", placed(Yaml::scalar(flags.weights, true), "--weights"));
  for (const auto& assignment : data_overrides(flags.data)) set_override(root, assignment);
  const auto quantizer = flags.quantizer.quantizer();
  root.set("quantizers", map_of("quantizer", quantizer));
  const auto instance = map_of("instance_name", Yaml::scalar("quantizer"));
  root.set("policies", Yaml::sequence({map_of("quantizer", instance)}));
  root.set("export", Yaml::sequence({export_section(flags, quantizer)}));
  for (const auto& assignment : flags.overrides) set_override(root, assignment);
  return root;
}

void quantize(const Flags& flags, const std::string& command) {
  if (!flags.output.empty()) run::require_writable_file(flags.output);
  const auto recipe = schedule::Recipe::parse(make_recipe(flags));
  if (flags.print_recipe) {
    const auto text = to_text(recipe.root);
    return print({{"recipe", text}}, text);
  }
  const auto open = [&](const std::string& spec) {
    return models::open_model(spec, static_cast<uint64_t>(recipe.training.seed));
  };
  report(run::run_recipe(recipe, {.out = flags.out, .command = command, .open_model = open}));
}

/// For the summary of the run.
std::string command_line(const CLI::App& app) {
  std::string text = "compress quantize";
  for (const auto* option : app.get_options()) {
    if (option->count() == 0) continue;
    if (!option->get_lnames().empty()) text += " --" + option->get_lnames()[0];
    if (option->get_expected_max() > 0) text += " " + join(option->results(), " ");
  }
  return text;
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("model", flags->model, kModelHelp)->required();
  app.add_option("--weights", flags->weights, "start with the weights of a safetensors or ONNX file or run directory");
  app.add_option("--data", flags->data, kDataHelp)->required();
  app.add_option("-o,--output", flags->output, "quantised model (default: model.onnx in the run directory)");
  app.add_option(
      "--format", flags->format,
      "format of the quantised model (default: onnx-qdq; of grids without an ONNX form onnx-float with their "
      "encodings): " +
          quant::export_format_help());
  app.add_option("--encodings", flags->encodings,
                 "also write scales and ranges to a file beside it: " + join(quant::encodings_writers().names(), ", "))
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--out", flags->out, "run directory (default: runs/NAME/TIMESTAMP)");
  app.add_option("--name", flags->name, "name of the run (default: the model's with '_quantized')");
  app.add_option("--set", flags->overrides, "change a value of the recipe: --set quantizers.quantizer.group_size=32")
      ->allow_extra_args(false);
  app.add_flag("--print-recipe", flags->print_recipe,
               "print the recipe that these flags stand for, for 'compress run', and do nothing");
  flags->quantizer.declare(app);
  return [flags, &app] { quantize(*flags, command_line(app)); };
}

}  // namespace

extern const Command quantize_command;
const Command quantize_command{
    "quantize", "quantise a trained model without training it",
    "compress quantize model.onnx --data cifar10:DIR --qe-bits-wts 4 --observer mse -o int.onnx", add};

}  // namespace compress::tools
