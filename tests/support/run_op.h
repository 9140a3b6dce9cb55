#pragma once

#include "core/text.h"
#include "graph/text_form.h"
#include "ops/op.h"

#include <ATen/core/Tensor.h>

#include <set>
#include <string>
#include <vector>

namespace compress::test {

/// A node from its text form, "x = Conv(a, %w) pads=[1,1,1,1]"; '_' is an absent input.
inline Node node_of(const std::string& text) {
  const auto open = text.find('('), close = text.find(')');
  std::set<std::string> names;
  for (const auto& name : split(text.substr(open + 1, close - open - 1), ',')) names.emplace(trim(name));
  std::string inputs, parameters;
  for (const auto& name : names) {
    if (name.empty() || name == "_") continue;
    if (name.front() == '%')
      parameters += "parameter " + name.substr(1) + ": float[1]\n";
    else
      inputs += (inputs.empty() ? "" : ", ") + name + ": float[1]";
  }
  const auto output = text.substr(0, text.find_first_of(" ,="));
  auto graph = parse_graph("graph g(" + inputs + ") -> (y = " + output + ")\n" + parameters + text + "\n");
  return *graph.nodes().begin();
}

/// Which inputs of a node in text form are parameters.
inline std::vector<bool> parameters_of(const std::string& text) {
  const auto open = text.find('('), close = text.find(')');
  std::vector<bool> flags;
  for (const auto& name : split(text.substr(open + 1, close - open - 1), ','))
    flags.push_back(trim(name).starts_with('%'));
  return flags;
}

/// Runs the node's kernel; undefined inputs are absent.
inline std::vector<at::Tensor>
run_op(const Node& node, const std::vector<at::Tensor>& inputs, ops::Mode mode = ops::Mode::eval) {
  std::vector<const at::Tensor*> pointers;
  for (const auto& input : inputs) pointers.push_back(input.defined() ? &input : nullptr);
  std::vector<at::Tensor> outputs(static_cast<size_t>(node.outputs));
  ops::Call call{.inputs = pointers, .outputs = outputs, .mode = mode};
  ops::op_of(node).kernel(node)(call);
  return outputs;
}

inline std::vector<ops::ValueInfo> infos_of(const std::vector<at::Tensor>& tensors) {
  std::vector<ops::ValueInfo> infos;
  for (const auto& tensor : tensors)
    infos.push_back(tensor.defined() ? ops::ValueInfo{tensor.sizes().vec(), tensor.scalar_type()}
                                     : ops::ValueInfo{{}, at::ScalarType::Undefined});
  return infos;
}

}  // namespace compress::test
