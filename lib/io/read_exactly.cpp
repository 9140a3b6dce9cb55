#include "core/file.h"
#include "io/blame.h"
#include "io/convert_node.h"
#include "io/draft.h"
#include "io/onnx.h"

#include <algorithm>

namespace compress::io {
namespace {

/// Undoes what export did to fit ONNX: renamed outputs, attributes written as constants.
class ExactReader {
public:
  explicit ExactReader(Draft draft) : draft_(std::move(draft)) {}

  Graph run() {
    if (!draft_.own) throw request_error("this model was not written by compress");
    draft_.output_values = draft_.outputs;
    std::erase_if(draft_.nodes, [&](const DraftNode& node) { return undo_rename(node); });
    for (auto& node : draft_.nodes) within("reading " + node.str(), [&] { take_attributes(node); });
    std::set<std::string> read;
    for (const auto& node : draft_.nodes) read.insert(node.inputs.begin(), node.inputs.end());
    std::erase_if(draft_.constant_order,
                  [&](const auto& name) { return !read.contains(name) && as_attribute_.contains(name); });
    return build_graph(draft_, Naming::as_in_file);
  }

private:
  bool undo_rename(const DraftNode& node) {
    if (!node.name.starts_with(kOutputPrefix) || node.op != "Identity" || node.inputs.size() != 1) return false;
    std::ranges::replace(draft_.output_values, node.outputs[0], node.inputs[0]);
    return true;
  }

  void take_attributes(DraftNode& node) {
    const auto& op = ops::op_of({.name = node.name, .op = node.op});
    std::vector<Known> inputs(node.inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i)
      if (const auto constant = draft_.constants.find(node.inputs[i]); constant != draft_.constants.end())
        inputs[i].value = {constant->second.value, constant->second.value};
    for (const auto& spec : op.constant_inputs)
      if (node.has_input(static_cast<size_t>(spec.index)))
        as_attribute_.insert(node.inputs[static_cast<size_t>(spec.index)]);
    modernize(node, op);
    constants_to_attributes(node, op, inputs, 0);
  }

  Draft draft_;
  std::set<std::string> as_attribute_;  ///< constants that stand for attributes
};

}  // namespace

Graph read_onnx_exactly(const std::filesystem::path& path, const std::map<std::string, at::Tensor>& elsewhere) {
  const auto bytes = read_file(path);
  return blame_file(path.string(),
                    [&] { return ExactReader(read_draft(bytes, path.string(), folder_of(path), elsewhere)).run(); });
}

Graph read_onnx_exactly_bytes(std::string_view bytes, const std::string& name) {
  return blame_file(name, [&] { return ExactReader(read_draft(bytes, name, {})).run(); });
}

}  // namespace compress::io
