#include "train/outputs.h"

#include "core/text.h"
#include "ops/op.h"

#include <algorithm>

namespace compress::train {

OutputInfo output_info(const Graph& graph, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& output : graph.outputs) names.push_back(output.name);
  if (names.empty()) throw request_error("'{}' has no output", graph.name);
  const auto found = name.empty() ? names.begin() : std::ranges::find(names, name);
  if (found == names.end())
    throw request_error("'{}' has no output '{}'; it has: {}", graph.name, name, join(names, ", "))
        .hint(did_you_mean(name, names));
  const auto& output = graph.outputs[static_cast<size_t>(found - names.begin())];
  Shape shape = ops::infer(graph, 2).at(output.value).shape;
  if (!shape.empty()) shape.erase(shape.begin());
  return {output.name, std::move(shape)};
}

const data::FieldInfo&
field_info(const std::vector<data::FieldInfo>& fields, const std::string& name, std::string_view task) {
  std::vector<std::string> names;
  for (const auto& field : fields) {
    if (field.name == name) return field;
    names.push_back(field.name);
  }
  throw request_error("task '{}' needs a field '{}' of the data; they have: {}", task, name, join(names, ", "))
      .hint(did_you_mean(name, names));
}

Outputs named_outputs(const Graph& graph, std::vector<at::Tensor> values) {
  Outputs outputs;
  for (size_t i = 0; i < values.size(); ++i) outputs.emplace(graph.outputs[i].name, std::move(values[i]));
  return outputs;
}

data::Batch to_device(const data::Batch& batch, at::Device device) {
  data::Batch moved{.size = batch.size};
  for (const auto& [name, tensor] : batch.fields) moved.fields.emplace(name, tensor.to(device));
  return moved;
}

}  // namespace compress::train
