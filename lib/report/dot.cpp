#include "report/dot.h"

#include "core/text.h"
#include "report/module_tree.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace compress::report {

namespace {

constexpr int kBarWidth = 96;  ///< points; all of the network's cost
constexpr auto kReplace = nlohmann::json::error_handler_t::replace;

/// How many bytes the UTF-8 character at the start of `text` has; 0 when it is none.
size_t character_size(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t size = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (size > text.size()) return 0;
  const bool whole =
      std::ranges::all_of(text.substr(1, std::max<size_t>(size, 1) - 1), [](char c) { return (c & 0xC0) == 0x80; });
  return whole ? size : 0;
}

/// Line ends stay; other control characters and broken UTF-8, which no picture can show, become question marks.
std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t size = character_size(text);
    const bool control =
        size == 1 && text[0] != '\n' && (static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7F);
    result += size == 0 || control ? "?" : std::string(text.substr(0, size));
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return result;
}

/// "3x3" of [3, 3].
std::string sizes_text(const Node& node, std::string_view attribute) {
  return shape_text(node.attributes.integers(attribute, {}));
}

bool all_one(const std::vector<int64_t>& sizes) {
  return std::ranges::all_of(sizes, [](int64_t size) { return size == 1; });
}

/// "Conv 3x3, stride 2x2, 16 groups".
std::string operator_text(const Node& node) {
  std::string text = node.op;
  const auto& attributes = node.attributes;
  if (!attributes.integers("kernel_shape", {}).empty()) text += " " + sizes_text(node, "kernel_shape");
  if (!all_one(attributes.integers("strides", {}))) text += ", stride " + sizes_text(node, "strides");
  if (!all_one(attributes.integers("dilations", {}))) text += ", dilation " + sizes_text(node, "dilations");
  if (attributes.integer("group", 1) > 1) text += fmt::format(", {} groups", attributes.integer("group", 1));
  return text;
}

std::string small_row(const std::string& text) {
  return "<TR><TD><FONT POINT-SIZE=\"9\">" + html_text(text) + "</FONT></TD></TR>";
}

/// Two cells whose lengths show a part of the whole.
std::string bar(double share) {
  const int filled = std::max(1, static_cast<int>(std::lround(share * kBarWidth)));
  const auto cell = [](int width, std::string_view colour) {
    return fmt::format("<TD FIXEDSIZE=\"TRUE\" WIDTH=\"{}\" HEIGHT=\"4\" BGCOLOR=\"{}\"></TD>", width, colour);
  };
  return fmt::format("<TR><TD><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\" "
                     "FIXEDSIZE=\"TRUE\" WIDTH=\"{}\" HEIGHT=\"4\"><TR>",
                     kBarWidth) +
         cell(filled, "#c0392b") + (filled < kBarWidth ? cell(kBarWidth - filled, "#ffffff") : "") +
         "</TR></TABLE></TD></TR>";
}

std::string weight_text(const DrawnNode& drawn, const Parameter& weight) {
  return fmt::format("weight {}: {}, {}", shape_text(weight.value.sizes()), human_count(weight.value.numel()),
                     human_bytes(drawn.cost->weight_bytes));
}

std::string label(const Drawing& drawing, const DrawnNode& drawn) {
  std::string rows = "<TR><TD><B>" + html_text(drawn.node->name) + "</B></TD></TR>";
  rows += small_row(operator_text(*drawn.node) + " \u2192 " + shape_text(drawn.cost->output));
  if (const Parameter* weight = drawing.weight(*drawn.node)) rows += small_row(weight_text(drawn, *weight));
  if (drawn.cost->macs > 0)
    rows += small_row(fmt::format("{} MACs, {:.1f} %", human_count(drawn.cost->macs), 100 * drawn.share)) +
            bar(drawn.share);
  return "<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\">" + rows + "</TABLE>>";
}

std::string attributes_text(const Node& node) {
  std::string text = node.name + " = " + node.op;
  for (const auto& [name, value] : node.attributes)
    text += "\n" + name + " = " +
            std::visit([](const auto& held) { return nlohmann::json(held).dump(-1, ' ', false, kReplace); }, value);
  return text;
}

class DotWriter {
public:
  DotWriter(const Drawing& drawing, int depth) : drawing_(drawing), depth_(depth) {
    for (const auto& drawn : drawing.nodes()) number(drawn.node->name);
    for (const auto& drawn : drawing.nodes()) drawn_[drawn.node] = &drawn;
  }

  std::string write() {
    text_ = "digraph " + dot_string(drawing_.graph().name) + " {\n";
    text_ += "  graph [rankdir=TB, fontname=\"Helvetica\", labelloc=t, nodesep=0.3, ranksep=0.3, label=" + title() +
             "];\n  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11, color=\"#606060\", "
             "margin=\"0.1,0.04\"];\n  edge [fontname=\"Helvetica\", fontsize=9, color=\"#606060\", arrowsize=0.7];\n";
    ends();
    const Module root = module_tree(drawing_.graph());
    for (const auto& child : root.children) module(child, 1, size_of(root));
    for (const auto& edge : drawing_.edges()) this->edge(edge);
    return text_ + "}\n";
  }

private:
  /// Names are free text; what Graphviz calls a node is a number.
  std::string number(const std::string& name) {
    return "n" + std::to_string(numbers_.try_emplace(name, numbers_.size()).first->second);
  }
  /// An output may be called as a node is.
  static std::string output_key(const std::string& name) { return "output\n" + name; }

  std::string title() const {
    const auto& cost = drawing_.cost();
    std::string legend;
    for (const auto& kind : operator_classes())
      if (std::ranges::any_of(drawing_.nodes(), [&](const auto& drawn) { return drawn.kind.name == kind.name; }))
        legend += fmt::format("<TD BGCOLOR=\"{}\"><FONT POINT-SIZE=\"9\"> {} </FONT></TD>", kind.colour, kind.name);
    return fmt::format("<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"3\"><TR><TD COLSPAN=\"8\"><B>{}</B>   "
                       "{} MACs, {} parameters, {}</TD></TR>{}</TABLE>>",
                       html_text(drawing_.graph().name), human_count(cost.macs), human_count(cost.parameters),
                       human_bytes(cost.stored_bytes), legend.empty() ? "" : "<TR>" + legend + "</TR>");
  }

  void end(const std::string& id, const std::string& name, const Shape& shape) {
    text_ += fmt::format("  {} [shape=ellipse, style=filled, fillcolor=\"#ffffff\", label=<<B>{}</B><BR/>"
                         "<FONT POINT-SIZE=\"9\">{}</FONT>>];\n",
                         id, html_text(name), shape_text(shape));
  }

  void ends() {
    for (const auto& input : drawing_.graph().inputs) end(number(input.name), input.name, drawing_.shape(input.name));
    for (const auto& output : drawing_.graph().outputs)
      end(number(output_key(output.name)), output.name, drawing_.shape(output.value));
  }

  void node(const Node& node) {
    const DrawnNode& drawn = *drawn_.at(&node);
    text_ += fmt::format("  {} [fillcolor=\"{}\", label={}, tooltip={}];\n", number(node.name), drawn.kind.colour,
                         label(drawing_, drawn), dot_string(attributes_text(node)));
  }

  /// Nodes but quantisers, which make no module.
  size_t size_of(const Module& module) const {
    const auto nodes = module.nodes();
    return static_cast<size_t>(std::ranges::count_if(
        nodes, [](const Node* node) { return ops::op_of(*node).quantization != ops::Quantization::quantizer; }));
  }

  /// A box around a module that holds several nodes, but not all of its parent.
  void module(const Module& module, int level, size_t around) {
    const auto size = size_of(module);
    const bool boxed = level <= depth_ && !module.node && size > 1 && size < around;
    if (boxed)
      text_ += fmt::format("  subgraph cluster_{} {{\n  label={}; labeljust=l; fontsize=11; style=rounded; "
                           "color=\"#a0a0a0\"; bgcolor=\"{}\";\n",
                           clusters_++, dot_string(module.path), level % 2 ? "#f9f9f9" : "#f2f2f2");
    if (module.node) node(*module.node);
    for (const auto& child : module.children) this->module(child, level + 1, boxed ? size : around);
    if (boxed) text_ += "  }\n";
  }

  void edge(const DrawnEdge& edge) {
    const auto tip = dot_string(edge.value + ": " + shape_text(edge.shape));
    text_ += fmt::format("  {} -> {} [tooltip={}, edgetooltip={}];\n", number(edge.from),
                         number(edge.to_output ? output_key(edge.to) : edge.to), tip, tip);
  }

  const Drawing& drawing_;
  int depth_;
  int clusters_ = 0;
  std::map<std::string, size_t> numbers_;
  std::map<const Node*, const DrawnNode*> drawn_;
  std::string text_;
};

}  // namespace

std::string human_count(int64_t count) {
  const char* unit = "";
  auto number = static_cast<double>(count);
  for (const char* larger : {" k", " M", " G", " T", " P"}) {
    if (number < 1000) break;
    number /= 1000;
    unit = larger;
  }
  if (*unit == '\0') return std::to_string(count);
  return fmt::format("{:.{}f}{}", number, number < 10 ? 2 : number < 100 ? 1 : 0, unit);
}

std::string dot_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return quoted + '"';
}

std::string html_text(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    switch (c) {
    case '&': escaped += "&amp;"; break;
    case '<': escaped += "&lt;"; break;
    case '>': escaped += "&gt;"; break;
    case '"': escaped += "&quot;"; break;
    case '\n': escaped += "<BR/>"; break;
    default: escaped += c;
    }
  }
  return escaped;
}

std::string dot_text(const Drawing& drawing, int depth) {
  return DotWriter(drawing, depth).write();
}

}  // namespace compress::report
