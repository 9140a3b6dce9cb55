#include "io/import_names.h"

#include "ops/op.h"
#include "ops/recurrent_layer.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace compress::io {
namespace {

/// "GlobalAveragePool" -> "global_average_pool".
std::string snake_case(std::string_view op) {
  std::string name;
  for (size_t i = 0; i < op.size(); ++i) {
    const auto c = static_cast<unsigned char>(op[i]);
    const bool starts_word = std::isupper(c) && i > 0 && !std::isupper(static_cast<unsigned char>(op[i - 1]));
    if (starts_word) name += '_';
    name += static_cast<char>(std::tolower(c));
  }
  return name;
}

/// Only signs that need no quotes anywhere.
std::string clean(std::string name) {
  for (auto& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.' && c != '/' && c != '-') c = '_';
  return name;
}

/// "layer1.0.conv1.weight" -> "layer1.0.conv1"; "" when the name has no stem.
std::string stem_of(const std::string& parameter) {
  const auto dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

/// "mix_1" -> "mix".
std::string without_number(const std::string& name) {
  const auto end = name.find_last_not_of("0123456789");
  return end != std::string::npos && end > 0 && end + 1 < name.size() && name[end] == '_' ? name.substr(0, end) : name;
}

/// Scale and bias are the inputs behind the value.
bool is_normalization(const DraftNode& node) {
  constexpr std::string_view kNormalizations[] = {"BatchNormalization", "GroupNormalization", "InstanceNormalization",
                                                  "LayerNormalization", "RMSNormalization"};
  return std::ranges::find(kNormalizations, node.op) != std::end(kNormalizations);
}

bool owns_parameters(const DraftNode& node) {
  const auto* op = ops::find_op(node.op);
  return (op && op->weight_input >= 0) || is_normalization(node) || node.op == "PRelu";
}

class Namer {
public:
  explicit Namer(const Draft& draft) : draft_(draft) {
    for (const auto& input : draft.inputs) taken_.insert(input.name);
  }

  Names run() {
    for (const auto& value : draft_.constant_order)
      if (const auto& name = draft_.constants.at(value).name; !name.empty())
        name_parameter(value, draft_.own ? name : clean(name));
    for (const auto& node : draft_.nodes) remember_path(node);
    for (const auto& node : draft_.nodes) name_node(node);
    name_unread_parameters();
    return std::move(names_);
  }

private:
  std::string claim(const std::string& base) {
    if (taken_.insert(base).second) return base;
    const auto root = without_number(base);
    for (int k = 1;; ++k)
      if (const auto name = root + "_" + std::to_string(k); taken_.insert(name).second) return name;
  }

  /// The newer exporter calls the bias that batch-norm leaves in a convolution "conv.weight_bias".
  std::string usual_name(const std::string& name) const {
    constexpr std::string_view kMade = ".weight_bias";
    if (draft_.own || !name.ends_with(kMade)) return name;
    const auto usual = name.substr(0, name.size() - kMade.size()) + ".bias";
    return taken_.contains(usual) || draft_.constants.contains(usual) ? name : usual;
  }

  void name_parameter(const std::string& value, const std::string& name) {
    names_.parameters[value] = claim(usual_name(name));
    for (auto stem = stem_of(name); !stem.empty(); stem = stem_of(stem)) containers_.insert(stem_of(stem));
  }

  /// Modules that hold other modules; what several operators do in a module that holds none.
  void remember_path(const DraftNode& node) {
    if (node.scope == "?") return;
    for (auto path = stem_of(node.scope); !path.empty(); path = stem_of(path)) containers_.insert(path);
    operators_[node.scope].insert(node.op);
  }

  /// "lstm.weight_ih_l0_reverse" -> "lstm.l0_reverse": a node is one layer in one direction.
  std::string layer_name(const DraftNode& node) const {
    constexpr std::string_view kRole = ".weight_ih_";
    const auto found = node.inputs.size() > 1 ? names_.parameters.find(node.inputs[1]) : names_.parameters.end();
    if (ops::recurrent_gates({.op = node.op}) == 0 || found == names_.parameters.end()) return "";
    const auto at = found->second.rfind(kRole);
    return at == std::string::npos ? "" : found->second.substr(0, at + 1) + found->second.substr(at + kRole.size());
  }

  void name_node(const DraftNode& node) {
    const auto layer = layer_name(node);
    const auto stem = !layer.empty() ? layer : owns_parameters(node) ? owner_stem(node) : "";
    const auto name = claim(draft_.own && !node.name.empty() ? node.name : stem.empty() ? unnamed_base(node) : stem);
    names_.nodes.push_back(name);
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (draft_.constants.contains(node.inputs[i]) && !names_.parameters.contains(node.inputs[i]))
        name_parameter(node.inputs[i], parameter_base(node, stem, name, i));
  }

  std::string
  parameter_base(const DraftNode& node, const std::string& stem, const std::string& name, size_t input) const {
    const auto role = role_of(node, input);
    const auto path = node.scope == "?" ? "" : clean(node.scope);
    if (!stem.empty()) return stem + "." + role;
    if (path.empty() || role != "weight") return name + "." + role;
    if (const auto sibling = sibling_of_bias(node, path); !sibling.empty()) return sibling;
    // A module without submodules owns the weight that it multiplies by, whatever else it does with it.
    return (containers_.contains(node.scope) ? name : path) + "." + role;
  }

  /// "attention.in_proj_weight" when "attention.in_proj_bias" is added to the product.
  std::string sibling_of_bias(const DraftNode& node, const std::string& path) const {
    constexpr std::string_view kBias = "bias";
    for (const auto& add : draft_.nodes) {
      if (add.op != "Add" || std::ranges::find(add.inputs, node.outputs[0]) == add.inputs.end()) continue;
      for (const auto& input : add.inputs) {
        const auto found = names_.parameters.find(input);
        if (found == names_.parameters.end() || stem_of(found->second) != path || !found->second.ends_with(kBias))
          continue;
        return found->second.substr(0, found->second.size() - kBias.size()) + "weight";
      }
    }
    return "";
  }

  void name_unread_parameters() {
    for (const auto& value : draft_.constant_order)
      if (!names_.parameters.contains(value)) name_parameter(value, "constant");
  }

  /// The stem that the node's named parameters share.
  std::string owner_stem(const DraftNode& node) const {
    for (const auto& input : node.inputs)
      if (const auto found = names_.parameters.find(input); found != names_.parameters.end())
        if (const auto stem = stem_of(found->second); !stem.empty()) return stem;
    return "";
  }

  std::string unnamed_base(const DraftNode& node) const {
    if (node.scope == "?") {
      auto name = node.name.starts_with("node_") ? node.name.substr(5) : node.name;
      return name.empty() || without_number(name) == node.op ? snake_case(node.op) : clean(name);
    }
    const auto path = clean(node.scope);
    if (path.empty()) return snake_case(node.op);
    const auto operators = operators_.find(node.scope);
    const bool alone = !containers_.contains(node.scope) && operators->second.size() == 1;
    return alone ? path : path + "." + snake_case(node.op);
  }

  const Draft& draft_;
  Names names_;
  std::set<std::string> taken_;
  std::set<std::string> containers_;
  std::map<std::string, std::set<std::string>> operators_;  ///< by module path
};

}  // namespace

Names canonical_names(const Draft& draft) {
  return Namer(draft).run();
}

std::string role_of(const DraftNode& node, size_t input) {
  static constexpr std::array<const char*, 5> kNormalization{"", "weight", "bias", "running_mean", "running_var"};
  if (is_normalization(node) && input >= 1 && input < (node.op == "BatchNormalization" ? 5 : 3))
    return kNormalization[input];
  const auto* op = ops::find_op(node.op);
  if (op && op->quantization == ops::Quantization::quantizer)
    return input == 1 ? "scale" : input == 2 ? "zero_point" : "constant";
  if ((op && op->weight_input == static_cast<int>(input)) || (node.op == "PRelu" && input == 1)) return "weight";
  if (op && op->bias_input == static_cast<int>(input)) return "bias";
  return "constant";
}

}  // namespace compress::io
