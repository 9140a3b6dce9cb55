#include "exec/plan.h"
#include "ops/op.h"
#include "quant/export/dequantized.h"
#include "quant/export/lowering.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

/// From the QDQ form to operators on integers, layer by layer; what has no such form stays as it is. So both files
/// stand on the same integers.
namespace compress::quant {
namespace {

/// Operators that give back what they get, whatever its type.
constexpr std::string_view kMovers[] = {"Concat", "Expand", "Flatten", "MaxPool",   "Reshape",
                                        "Slice",  "Split",  "Squeeze", "Transpose", "Unsqueeze"};

class QOperatorLowering {
public:
  explicit QOperatorLowering(Graph& graph) : graph_(graph) {}

  void run() {
    std::vector<Node*> nodes;
    for (auto& node : graph_.nodes()) nodes.push_back(&node);
    for (auto* node : nodes) names_.push_back(node->name);
    for (const auto& name : names_)
      if (auto* node = graph_.find_node(name)) lower(*node);
    erase_unread();
    graph_.erase_unused_parameters();
    graph_.touch();
  }

private:
  void lower(Node& node) {
    if (node.op == "Conv") lower_conv(node);
    if (node.op == "Gemm" || node.op == "MatMul") lower_product(node);
    if (std::ranges::find(kMovers, node.op) != std::end(kMovers)) lower_mover(node);
  }

  // ---- layers
  // --------------------------------------------------------------------------------------------------------
  /// What an integer layer reads: x and weight as integers of types that go together, and the bias.
  struct Layer {
    Dequantized x, weight;
    std::string bias = {};                     ///< "": none
    std::optional<std::string> sum_bias = {};  ///< the bias as integers of the sum's grid
    int64_t rank = 2;                          ///< axes of the result
  };

  void lower_conv(Node& node) {
    auto layer = read_layer(node, 1, 2);
    if (!layer || (layer->weight.axis > 0)) return;
    const auto* weight = graph_.find_parameter(layer->weight.codes);
    if (weight == nullptr) return;
    layer->rank = weight->value.dim();
    if (!match_types(*layer)) return;
    const auto end = requantized(graph_, node);
    if (end && end->type == layer->x.type && !layer->x.dynamic && (layer->bias.empty() || layer->sum_bias))
      return become_linear(node, "QLinearConv", *layer, *end);
    if (single_zero_point(*layer)) become_sum(node, "ConvInteger", *layer);
  }

  void lower_product(Node& node) {
    auto layer = read_layer(node, 1, node.op == "Gemm" ? 2 : -1);
    if (!layer || (node.op == "Gemm" && !is_plain(node))) return;
    if (const auto* weight = graph_.find_parameter(layer->weight.codes)) {
      if (weight->value.dim() != 2) return;
      if (node.attributes.integer("transB", 0) != 0) transpose(*layer);
      if (layer->weight.axis == 0) return;  // a scale for each input
    } else if (layer->weight.axis >= 0 || layer->weight.dynamic) {
      return;
    }
    if (!match_types(*layer)) return;
    const auto end = requantized(graph_, node);
    node.attributes = {};
    if (end && end->type == layer->x.type && !layer->x.dynamic && layer->bias.empty())
      return become_linear(node, "QLinearMatMul", *layer, *end);
    single_zero_point(*layer);
    become_sum(node, "MatMulInteger", *layer);
  }

  static bool is_plain(const Node& gemm) {
    return gemm.attributes.integer("transA", 0) == 0 && gemm.attributes.number("alpha", 1) == 1 &&
           gemm.attributes.number("beta", 1) == 1;
  }

  std::optional<Layer> read_layer(const Node& node, size_t weight, int bias) const {
    const auto x = dequantized(graph_, node.inputs[0]), w = dequantized(graph_, node.inputs[weight]);
    if (!x || !w || x->axis >= 0) return std::nullopt;
    Layer layer{.x = *x, .weight = *w};
    if (bias < 0 || !node.has_input(static_cast<size_t>(bias))) return layer;
    layer.bias = node.inputs[static_cast<size_t>(bias)];
    layer.sum_bias = integers_of_sum(layer);
    return layer;
  }

  /// The bias as 32-bit integers, when its scale is input scale x weight scale.
  std::optional<std::string> integers_of_sum(const Layer& layer) const {
    const auto* node = graph_.producer(layer.bias);
    if (layer.x.dynamic || node == nullptr || node->op != "DequantizeLinear" || node->has_input(2)) return std::nullopt;
    const auto *codes = graph_.find_parameter(node->inputs[0]), *scale = graph_.find_parameter(node->inputs[1]);
    if (codes == nullptr || scale == nullptr || codes->value.scalar_type() != at::kInt) return std::nullopt;
    const auto step = value(layer.x.scale) * value(layer.weight.scale);
    return scale->value.flatten().equal(step.flatten()) ? std::optional(codes->name) : std::nullopt;
  }

  const at::Tensor& value(const std::string& name) const { return graph_.parameter(name).value; }

  std::string add(const std::string& name, at::Tensor value) {
    return graph_.add_parameter({.name = graph_.unique_name(name), .value = std::move(value), .trainable = false}).name;
  }

  /// MatMul wants [in, out].
  void transpose(Layer& layer) {
    layer.weight.codes = add(layer.weight.codes + ".transposed", value(layer.weight.codes).t().contiguous());
    if (layer.weight.axis >= 0) layer.weight.axis = 1 - layer.weight.axis;
  }

  /// Signed with unsigned integers exists only with the unsigned ones in front: weights move by 128 and their zero
  /// points with them. False when the second factor is no constant.
  bool match_types(Layer& layer) {
    if (layer.x.type == at::kByte || layer.weight.type == at::kChar) return true;
    if (graph_.find_parameter(layer.weight.codes) == nullptr) return false;
    for (auto* name : {&layer.weight.codes, &layer.weight.zero_point})
      *name = add(*name + ".signed", (value(*name).to(at::kShort) - 128).to(at::kChar));
    layer.weight.type = at::kChar;
    return true;
  }

  /// One zero point in place of equal ones. False when they differ.
  bool single_zero_point(Layer& layer) {
    const auto& points = value(layer.weight.zero_point);
    if (points.numel() == 1) return true;
    const auto first = points.flatten().select(0, 0);
    if (!points.eq(first).all().item<bool>()) return false;
    layer.weight.zero_point = add(layer.weight.zero_point + ".common", first.clone());
    return true;
  }

  /// Sum, rescaling and rounding in one operator.
  void become_linear(Node& node, const char* op, const Layer& layer, const Requantized& end) {
    node.op = op;
    node.inputs = {layer.x.codes,      layer.x.scale,           layer.x.zero_point,       layer.weight.codes,
                   layer.weight.scale, layer.weight.zero_point, end.quantizer->inputs[1], end.quantizer->inputs[2]};
    if (layer.sum_bias) node.inputs.push_back(*layer.sum_bias);
    take_place(node.name, node, end);
  }

  /// `value` is the integers that the quantiser at the end of the stretch made.
  void take_place(const std::string& value, const Node& behind, const Requantized& end) {
    auto result = value;
    const auto quantizer = end.quantizer->name;
    std::vector<std::string> gone{quantizer};
    for (const auto* node : end.between) gone.insert(gone.begin() + 1, node->name);
    if (end.limited) {
      Node clip{.name = graph_.unique_name(value + ".clip"), .op = "Clip", .inputs = {value}};
      clip.attributes.set("min", end.low);
      clip.attributes.set("max", end.high);
      result = graph_.insert_after(behind, std::move(clip)).name;
    }
    graph_.replace_uses(quantizer, result);
    for (const auto& name : gone) graph_.erase(name);
    graph_.touch();
  }

  /// The exact sum as 32-bit integers, then as a real number. The last node bears the layer's name.
  void become_sum(Node& node, const char* op, const Layer& layer) {
    Node sum{.name = graph_.unique_name(node.name + ".sum"), .op = op, .attributes = node.attributes};
    sum.inputs = {layer.x.codes, layer.weight.codes, layer.x.zero_point, layer.weight.zero_point};
    auto last = graph_.insert_before(node, std::move(sum)).name;
    if (layer.sum_bias) {
      const auto bias = along_channels(layer, *layer.sum_bias);
      last = insert(node, ".biased", "Add", {last, bias});
    }
    Node cast{.name = graph_.unique_name(node.name + ".real"), .op = "Cast", .inputs = {last}};
    cast.attributes.set("to", int64_t{1});
    last = graph_.insert_before(node, std::move(cast)).name;
    const auto scale = scale_of_sum(node, layer);
    node.attributes = {};
    if (layer.bias.empty() || layer.sum_bias) {
      node.op = "Mul";
      node.inputs = {last, scale};
    } else {
      node.inputs = {insert(node, ".scaled", "Mul", {last, scale}), real_bias(layer)};
      node.op = "Add";
    }
    graph_.touch();
  }

  std::string insert(const Node& node, const char* suffix, const char* op, std::vector<std::string> inputs) {
    Node added{.name = graph_.unique_name(node.name + suffix), .op = op, .inputs = std::move(inputs)};
    return graph_.insert_before(node, std::move(added)).name;
  }

  std::string scale_of_sum(const Node& node, const Layer& layer) {
    if (!layer.x.dynamic) {
      const auto step = value(layer.x.scale) * value(layer.weight.scale);
      return add(node.name + ".scale", shaped(layer, step));
    }
    const auto weight = add(layer.weight.scale + ".shaped", shaped(layer, value(layer.weight.scale)));
    return insert(node, ".scale", "Mul", {layer.x.scale, weight});
  }

  /// One number, or one per channel, to go with the result.
  static at::Tensor shaped(const Layer& layer, const at::Tensor& values) {
    if (values.numel() == 1) return values.reshape({});
    std::vector<int64_t> sizes(static_cast<size_t>(layer.rank), 1);
    sizes[1] = values.numel();
    return values.reshape(sizes).contiguous();
  }

  std::string along_channels(const Layer& layer, const std::string& name) {
    return layer.rank == 2 ? name : add(name + ".shaped", shaped(layer, value(name)));
  }

  /// A bias on a grid of its own is a constant too.
  std::string real_bias(const Layer& layer) {
    if (layer.rank == 2) return layer.bias;
    const auto* quantizer = graph_.producer(layer.bias);
    if (quantizer == nullptr) return along_channels(layer, layer.bias);
    return add(layer.bias + ".shaped", shaped(layer, exec::run_node(*quantizer, values(quantizer->inputs))[0]));
  }

  std::vector<at::Tensor> values(const std::vector<std::string>& names) const {
    std::vector<at::Tensor> values;
    for (const auto& name : names) values.push_back(value(name));
    return values;
  }

  // ---- what only moves values
  // ----------------------------------------------------------------------------------------
  void lower_mover(Node& node) {
    if (node.op == "MaxPool" && (node.outputs > 1 || node.attributes.integers("kernel_shape", {}).size() != 2)) return;
    std::vector<Dequantized> inputs;
    for (const auto& input : node.inputs) {
      const auto x = dequantized(graph_, input);
      if (!x || x->axis >= 0) return;
      inputs.push_back(*x);
    }
    if (inputs.size() == 1 && inputs[0].dynamic && node.outputs == 1) return dequantize_behind(node, inputs[0]);
    const auto same = [&](const std::string& scale, const std::string& zero_point) {
      return scale == inputs[0].scale && zero_point == inputs[0].zero_point;
    };
    std::vector<Requantized> ends;
    for (int k = 0; k < node.outputs; ++k) {
      const auto end = requantized(graph_, node, k);
      if (!end || !same(end->quantizer->inputs[1], end->quantizer->inputs[2])) return;
      ends.push_back(*end);
    }
    if (!std::ranges::all_of(inputs, [&](const auto& x) { return same(x.scale, x.zero_point); })) return;
    for (size_t i = 0; i < inputs.size(); ++i) node.inputs[i] = inputs[i].codes;
    for (int k = 0; k < node.outputs; ++k) take_place(node.output(k), node, ends[static_cast<size_t>(k)]);
  }

  /// Values of a grid that is found anew in each call are moved as integers, and dequantised then.
  void dequantize_behind(Node& node, const Dequantized& x) {
    node.inputs[0] = x.codes;
    Node real{.name = graph_.unique_name(node.name + ".dequantize"), .op = "DequantizeLinear"};
    real.inputs = {node.name, x.scale, x.zero_point};
    const auto& name = graph_.insert_after(node, std::move(real)).name;
    graph_.replace_uses(node.name, name, name);
  }

  /// DequantizeLinear whose readers read the integers now.
  void erase_unread() {
    std::ranges::reverse(names_);
    for (const auto& name : names_) {
      const auto* node = graph_.find_node(name);
      if (node == nullptr || (node->op != "DequantizeLinear" && node->op != "Cast")) continue;
      if (graph_.consumers(name).empty() && !graph_.is_output(name)) graph_.erase(name);
    }
  }

  Graph& graph_;
  std::vector<std::string> names_;
};

}  // namespace

Graph lower_to_qoperator(const Graph& graph, int opset) {
  // Integer operators have 8 bits: parts of bytes would have none.
  constexpr int kBeforeFourBits = 20;
  auto lowered = lower_to_qdq(graph, std::min(opset, kBeforeFourBits));
  QOperatorLowering(lowered).run();
  return lowered;
}

}  // namespace compress::quant
