#pragma once

#include "exec/plan.h"
#include "graph/text_form.h"
#include "support/close.h"
#include "support/tensors.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace compress::test {

/// A graph from its text form, parameters filled with irregular numbers (variances and scales positive).
inline Graph network(std::string_view text) {
  auto graph = parse_graph(text);
  double seed = 1;
  for (auto& parameter : graph.parameters()) {
    const bool positive =
        parameter.name.find("var") != std::string::npos || parameter.name.find("scale") != std::string::npos;
    const auto sizes = parameter.value.sizes().vec();
    parameter.value.copy_(positive ? wild_positive(sizes, seed) : wild(sizes, seed).mul(0.5));
    seed += 1;
  }
  return graph;
}

inline at::Tensor image(const Shape& shape, double seed = 0) {
  return wild(shape, seed).to(at::kFloat);
}

/// One line per batch normalisation: its parameters.
inline std::string batch_norm_parameters(const std::string& name, int channels) {
  const auto line = [&](const std::string& part, const std::string& kind) {
    return "parameter " + name + "." + part + ": float[" + std::to_string(channels) + "]" + kind + "\n";
  };
  return line("gamma", "") + line("beta", "") + line("mean", " fixed") + line("var", " fixed");
}

inline std::string batch_norm(const std::string& name, const std::string& x) {
  return name + " = BatchNormalization(" + x + ", %" + name + ".gamma, %" + name + ".beta, %" + name + ".mean, %" +
         name + ".var)\n";
}

inline exec::Tensors run_plan(const Graph& graph, const exec::Tensors& inputs, bool optimize) {
  return exec::Plan(graph, {.optimize = optimize}).run(inputs);
}

/// "Numbers within 1e-4" are relative to max(1, max|y|).
inline void require_same_outputs(const exec::Tensors& a, const exec::Tensors& b, double tolerance = 1e-4) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i)
    require_close(a[i], b[i], tolerance * std::max(1.0, b[i].abs().max().item<double>()));
}

inline size_t step_count(const exec::Plan& plan) {
  const auto text = plan.str();
  return static_cast<size_t>(std::ranges::count(text, '\n')) - 1;
}

}  // namespace compress::test
