#include "core/text.h"
#include "ops/channels.h"
#include "ops/product_channels.h"
#include "ops/shape.h"

#include <ATen/ops/einsum.h>

#include <algorithm>
#include <map>

/// Sums of products by equation: "bij,bjk->bik", "...d,de->...e".
namespace compress::ops {

namespace {

Error bad_equation(const Node& node, std::string_view why) {
  return request_error("the equation '{}' {}", node.attributes.text("equation", ""), why)
      .hint("it has one group of letters per input, as in 'bij,bjk->bik'; '...' stands for any further axes");
}

struct Equation {
  std::vector<std::string> inputs;  ///< with "..." where it stands
  std::string output;
};

/// What numpy takes without "->": the letters that stand once, in alphabetical order, behind the further axes.
std::string implied_output(const std::vector<std::string>& inputs) {
  std::map<char, int> counts;
  bool further = false;
  for (const auto& input : inputs)
    for (const char letter : input) letter == '.' ? void(further = true) : void(++counts[letter]);
  std::string output = further ? "..." : "";
  for (const auto& [letter, count] : counts)
    if (count == 1) output += letter;
  return output;
}

void check_group(const Node& node, std::string group) {
  if (const auto dots = group.find("..."); dots != std::string::npos) group.erase(dots, 3);
  for (const char letter : group)
    if (!std::isalpha(static_cast<unsigned char>(letter))) throw bad_equation(node, fmt::format("has a '{}'", letter));
}

Equation parse_equation(const Node& node) {
  auto text = node.attributes.text("equation", "");
  std::erase(text, ' ');
  const auto arrow = text.find("->");
  Equation equation;
  for (const auto& group : split(text.substr(0, arrow), ',')) equation.inputs.emplace_back(group);
  if (text.substr(0, arrow).empty()) equation.inputs = {""};
  equation.output = arrow == std::string::npos ? implied_output(equation.inputs) : text.substr(arrow + 2);
  if (equation.inputs.size() != node.inputs.size())
    throw bad_equation(node, fmt::format("has {} groups for {} inputs", equation.inputs.size(), node.inputs.size()));
  for (const auto& group : equation.inputs) check_group(node, group);
  check_group(node, equation.output);
  return equation;
}

/// The axes that "..." stands for in an input.
Shape further_axes(const Node& node, const std::string& group, const Shape& shape) {
  const auto dots = group.find("...");
  const auto letters = group.size() - (dots == std::string::npos ? 0 : 3);
  if (shape.size() < letters || (dots == std::string::npos && shape.size() != letters))
    throw bad_equation(node, fmt::format("does not fit the shape {}", shape_text(shape)));
  if (dots == std::string::npos) return {};
  const auto first = shape.begin() + static_cast<int64_t>(dots);
  return {first, first + static_cast<int64_t>(shape.size() - letters)};
}

std::string spelt_out(std::string group, const std::string& further) {
  if (const auto dots = group.find("..."); dots != std::string::npos) group.replace(dots, 3, further);
  return group;
}

/// The size of each letter. Throws a request error when two axes of one letter differ.
std::map<char, int64_t> letter_sizes(const Node& node, const ProductAxes& axes, std::span<const Shape> inputs) {
  std::map<char, int64_t> sizes;
  for (size_t i = 0; i < inputs.size(); ++i)
    for (size_t axis = 0; axis < inputs[i].size(); ++axis) {
      const char letter = axes.inputs[i][axis];
      if (letter == kStretched) continue;
      const auto [found, fresh] = sizes.try_emplace(letter, inputs[i][axis]);
      if (!fresh && found->second != inputs[i][axis])
        throw bad_equation(node, fmt::format("gives '{}' the sizes {} and {}", letter, found->second, inputs[i][axis]));
    }
  for (size_t k = 0; k < axes.output.size(); ++k) {
    const char letter = axes.output[k];
    if (!sizes.contains(letter)) throw bad_equation(node, fmt::format("has '{}' in the output only", letter));
    if (axes.output.find(letter, k + 1) != std::string::npos)
      throw bad_equation(node, fmt::format("has '{}' twice in the output", letter));
  }
  return sizes;
}

std::vector<Shape> shapes_of(std::span<const ValueInfo> infos) {
  std::vector<Shape> shapes;
  for (const auto& info : infos) shapes.push_back(info.shape);
  return shapes;
}

Kernel einsum_kernel(const Node& node) {
  return [equation = node.attributes.text("equation", "")](Call& call) {
    std::vector<at::Tensor> inputs;
    for (const auto* input : call.inputs) inputs.push_back(*input);
    call.out() = at::einsum(equation, inputs);
  };
}

std::vector<ValueInfo> einsum_infer(const InferCall& call) {
  const auto shapes = shapes_of(call.inputs);
  const auto axes = einsum_axes(call.node, shapes);
  const auto sizes = letter_sizes(call.node, axes, shapes);
  ValueInfo result{.shape = {}, .type = call.in(0).type};
  for (const char letter : axes.output) result.shape.push_back(sizes.at(letter));
  return {result};
}

int64_t einsum_macs(const Node& node, std::span<const ValueInfo> inputs, std::span<const ValueInfo>) {
  if (inputs.size() < 2) return 0;
  const auto shapes = shapes_of(inputs);
  int64_t macs = 1;
  for (const auto& [letter, size] : letter_sizes(node, einsum_axes(node, shapes), shapes)) macs *= size;
  return macs;
}

void einsum_channels(ChannelFlow& flow) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < flow.inputs(); ++i) shapes.push_back(flow.shape(i));
  product_channels(flow, einsum_axes(flow.node(), shapes));
}

}  // namespace

ProductAxes einsum_axes(const Node& node, std::span<const Shape> inputs) {
  const auto equation = parse_equation(node);
  Shape common;
  std::vector<Shape> further;
  for (size_t i = 0; i < inputs.size(); ++i) {
    further.push_back(further_axes(node, equation.inputs[i], inputs[i]));
    common = broadcast(common, further.back());
  }
  ProductAxes axes{.inputs = {}, .output = spelt_out(equation.output, batch_letters(common, common))};
  for (size_t i = 0; i < inputs.size(); ++i)
    axes.inputs.push_back(spelt_out(equation.inputs[i], batch_letters(further[i], common)));
  return axes;
}

namespace families {
extern const OpFamily einsum{{{.name = "Einsum",
                               .doc = "sum of products by an equation of axes, 'bij,bjk->bik'",
                               .min_inputs = 1,
                               .max_inputs = -1,
                               .since_opset = 12,
                               .attributes = {{"equation", AttributeSpec::Type::text, true}},
                               .kernel = einsum_kernel,
                               .gradient = Gradient::yes,
                               .infer = einsum_infer,
                               .macs = einsum_macs,
                               .channels = einsum_channels,
                               .resize = keep_attributes,
                               .quantization = Quantization::none}}};
}

}  // namespace compress::ops
