#include "core/text.h"
#include "io/onnx.h"
#include "quant/encodings/encodings.h"
#include "quant/export/export_formats.h"
#include "schedule/recipe.h"

namespace compress::schedule {

void ModelConfig::declare(Settings& settings) {
  settings.optional("arch", arch, "network of the zoo (compress list models), with arguments: NAME?key=value");
  settings.optional("onnx", onnx, "ONNX file");
  settings.optional("run", run, "run directory of an earlier run");
  settings.optional("weights", weights, "safetensors or ONNX file, or run directory, to take the parameters from");
  settings.choice("match", match, {{"strict", std::string("strict")}, {"by_name", std::string("by_name")}},
                  "strict: the weights' names are the network's; by_name: those in common are taken");
  settings.optional("inputs", inputs, "graph input -> field of the data");
}

std::string ModelConfig::spec() const {
  return !arch.empty() ? arch : !onnx.empty() ? onnx : run;
}

void ExportConfig::declare(Settings& settings) {
  std::vector<std::pair<std::string, std::string>> formats;
  for (const auto& known : quant::export_formats()) formats.emplace_back(known.name, known.name);
  settings.choice("format", format, formats, quant::export_format_help());
  settings.optional("file", file, "name of the file in the run directory");
  settings.optional("opset", opset, "version of ONNX's operator set; 17, or what the network needs, when absent",
                    in(13, io::kNewestOpset));
  settings.optional("external_data", external_data,
                    "tensors go to a file of their own (FILE.data), as they do anyway when they exceed 2 GB");
  settings.choice("overflow_guard", overflow_guard, quant::overflow_guards(), quant::kOverflowGuardDoc);
  settings.optional("encodings", encodings,
                    "files with scales and ranges beside the model: " + join(quant::encodings_writers().names(), ", "));
}

void ExportConfig::check() const {
  for (const auto& name : encodings) quant::encodings_writers().make(name);
  if (!encodings.empty() && quant::export_format(format).lower == nullptr)
    throw request_error("encodings go with a format for quantised models, not with '{}'", format)
        .hint("use onnx-float or onnx-qdq");
}

void ChecksConfig::declare(Settings& settings) {
  settings.optional("metric_at_least", metric_at_least, "lowest value of metrics on the test split, {top1: 90}");
  settings.optional("metric_at_most", metric_at_most, "highest value of metrics on the test split, {loss: 0.4}");
  settings.optional("drop_at_most", drop_at_most,
                    "most that a metric may lose against the network before compression, {top1: 0.5}");
  settings.optional("macs_ratio_at_most", macs_ratio_at_most, "share of the multiply-accumulates that may be left",
                    above(0));
  settings.optional("parameters_ratio_at_most", parameters_ratio_at_most, "share of the parameters that may be left",
                    above(0));
  settings.optional("sparsity_at_least", sparsity_at_least, "percent of the weights that must be zero", in(0, 100));
  settings.optional("bytes_at_most", bytes_at_most, "size of the first exported file", at_least(1));
}

}  // namespace compress::schedule
