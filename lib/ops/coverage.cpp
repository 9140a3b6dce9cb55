#include "ops/channels.h"
#include "ops/op.h"

namespace compress::ops {

namespace {

std::string gradient_word(Gradient gradient) {
  switch (gradient) {
  case Gradient::yes: return "yes";
  case Gradient::straight: return "straight-through";
  case Gradient::none: return "-";
  }
  return {};
}

std::string quantization_word(Quantization quantization) {
  switch (quantization) {
  case Quantization::none: return "float";
  case Quantization::weighted: return "weighted";
  case Quantization::arithmetic: return "arithmetic";
  case Quantization::activation: return "activation";
  case Quantization::same_grid: return "same grid";
  case Quantization::quantizer: return "quantiser";
  }
  return {};
}

std::string import_words(const Op& op) {
  std::string words = op.domain.empty() ? fmt::format("opset {}", op.since_opset) : "own";
  if (!op.constant_inputs.empty()) {
    words += "; constants:";
    for (const auto& input : op.constant_inputs) words += fmt::format(" {}", input.attribute);
  }
  return words + (op.normalize ? "; canonical form" : "");
}

}  // namespace

std::string coverage_table() {
  std::string table =
      "| Operator | What it does | Runs | Gradient | Shapes | MACs | Channels | Resize | Quantisation | "
      "Fused | Import and export |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const auto* op : all_ops())
    table += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", op->name, op->doc,
                         op->kernel ? "yes" : "missing", gradient_word(op->gradient), op->infer ? "yes" : "missing",
                         op->macs == no_macs ? "-" : "yes", op->channels == blocked ? "blocked" : "followed",
                         op->resize == keep_attributes ? "-" : "yes", quantization_word(op->quantization),
                         op->fused ? "yes" : "-", import_words(*op));
  return table;
}

}  // namespace compress::ops
