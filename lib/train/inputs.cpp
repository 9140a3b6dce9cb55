#include "core/text.h"
#include "train/trainer.h"

#include <algorithm>

namespace compress::train {

namespace {

std::string list_fields(const std::vector<data::FieldInfo>& fields) {
  std::vector<std::string> words;
  for (const auto& field : fields) words.push_back(fmt::format("{} ({})", field.name, shape_text(field.shape)));
  return join(words, ", ");
}

std::string list_inputs(const Graph& graph) {
  std::vector<std::string> words;
  for (const auto& input : graph.inputs) words.push_back(input.name);
  return join(words, ", ");
}

Error input_error(const Graph& graph, const std::vector<data::FieldInfo>& fields, const std::string& message) {
  return request_error("{}", message)
      .hint(fmt::format("inputs of '{}': {}; fields of the data: {}; model.inputs maps one to the other", graph.name,
                        list_inputs(graph), list_fields(fields)));
}

/// Null when nothing fits.
const data::FieldInfo* field_for(const std::string& input,
                                 const std::vector<data::FieldInfo>& fields,
                                 const std::map<std::string, std::string>& inputs) {
  const auto mapped = inputs.find(input);
  const auto& wanted = mapped == inputs.end() ? input : mapped->second;
  if (const auto named = std::ranges::find(fields, wanted, &data::FieldInfo::name); named != fields.end())
    return &*named;
  if (mapped != inputs.end()) return nullptr;
  const auto given = [](const data::FieldInfo& field) { return !data::is_target(field.name); };
  return std::ranges::count_if(fields, given) == 1 ? &*std::ranges::find_if(fields, given) : nullptr;
}

bool fits(const Shape& input, const Shape& field) {
  if (input.size() != field.size() + 1) return false;
  return std::ranges::equal(input.begin() + 1, input.end(), field.begin(), field.end(),
                            [](int64_t wanted, int64_t size) { return wanted == size || wanted < 0; });
}

}  // namespace

std::vector<std::string> match_inputs(const Graph& graph,
                                      const std::vector<data::FieldInfo>& fields,
                                      const std::map<std::string, std::string>& inputs) {
  for (const auto& [name, field] : inputs)
    if (!graph.is_input(name))
      throw input_error(graph, fields, fmt::format("model.inputs: the model has no input '{}'", name));
  std::vector<std::string> names;
  for (const auto& input : graph.inputs) {
    const auto* field = field_for(input.name, fields, inputs);
    if (!field && inputs.contains(input.name))
      throw input_error(graph, fields, fmt::format("model.inputs: the data has no field '{}'", inputs.at(input.name)));
    if (!field)
      throw input_error(graph, fields, fmt::format("no field of the data fits the model's input '{}'", input.name));
    if (!fits(input.shape, field->shape)) {
      Shape wanted = input.shape;
      if (!wanted.empty()) wanted.erase(wanted.begin());
      throw input_error(graph, fields,
                        fmt::format("the model's input '{}' takes {}, but field '{}' of the data is {}", input.name,
                                    shape_text(wanted), field->name, shape_text(field->shape)));
    }
    names.push_back(field->name);
  }
  return names;
}

std::vector<at::Tensor> graph_inputs(const Graph& graph,
                                     const data::Batch& batch,
                                     const std::map<std::string, std::string>& inputs,
                                     at::Device device) {
  std::vector<data::FieldInfo> fields;
  for (const auto& [name, tensor] : batch.fields) {
    const auto sizes = tensor.sizes();
    fields.push_back({name, Shape(sizes.begin() + (sizes.empty() ? 0 : 1), sizes.end()), tensor.scalar_type()});
  }
  std::vector<at::Tensor> tensors;
  for (const auto& name : match_inputs(graph, fields, inputs)) tensors.push_back(batch.at(name).to(device));
  return tensors;
}

}  // namespace compress::train
