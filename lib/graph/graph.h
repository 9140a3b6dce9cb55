#pragma once

#include "core/error.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <ranges>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace compress {

/// Sizes of a tensor. In a graph's inputs the batch is kBatch, the only symbolic size.
using Shape = std::vector<int64_t>;
inline constexpr int64_t kBatch = -1;

using Attribute =
    std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>, std::vector<std::string>>;

/// The named constants of a node, sorted by name. A getter throws an internal-looking run error when the type is
/// another.
class Attributes {
public:
  bool has(std::string_view name) const { return find(name) != nullptr; }
  const Attribute* find(std::string_view name) const;
  void set(std::string name, Attribute value);
  void erase(std::string_view name);

  int64_t integer(std::string_view name, int64_t otherwise) const;
  double number(std::string_view name, double otherwise) const;  ///< an integer is taken as a number
  std::string text(std::string_view name, std::string_view otherwise) const;
  std::vector<int64_t> integers(std::string_view name, std::vector<int64_t> otherwise) const;
  std::vector<double> numbers(std::string_view name, std::vector<double> otherwise) const;

  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }
  bool operator==(const Attributes&) const = default;

private:
  std::map<std::string, Attribute, std::less<>> values_;
};

/// One operator application. Inputs are names of values or parameters; "" is an absent optional input.
struct Node {
  std::string name;  ///< unique in the graph among nodes, inputs and parameters; users write it in recipes
  std::string op;    ///< operator type, as in ONNX: "Conv"
  std::vector<std::string> inputs;
  Attributes attributes;
  int outputs = 1;

  /// The name of an output value: the node's own name for the first, "name:k" for the others.
  std::string output(int k = 0) const { return k == 0 ? name : name + ":" + std::to_string(k); }
  bool has_input(size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
};

/// Knows whether another copy of the same parameter may hold the same storage: copying shares, own() ends it.
class Sharing {
public:
  bool shared() const { return token_.use_count() > 1; }
  void own() { token_ = std::make_shared<char>(); }

private:
  std::shared_ptr<char> token_ = std::make_shared<char>();
};

/// A tensor that belongs to the graph: weight, bias, statistics, constant. Several nodes may refer to it (tied
/// weights). A copy shares the tensor's storage, and Graph::writable() of either separates them.
struct Parameter {
  std::string name;  ///< PyTorch's: "layer1.0.conv1.weight"
  at::Tensor value;
  bool trainable = true;  ///< false: statistics and constants, which no optimiser touches
  at::Tensor mask = {};   ///< 0/1 of the value's shape; undefined: not masked. Exchanged, never written in place
  Sharing sharing = {};
};

struct GraphInput {
  std::string name;
  Shape shape;  ///< kBatch for the batch
  at::ScalarType type = at::kFloat;
};

struct GraphOutput {
  std::string name;   ///< what the outside calls it
  std::string value;  ///< the value it is
};

/// What an edit did to the parameters; every holder of something keyed by parameter name (masks, optimiser state,
/// policies) applies it, in this order: renamed, removed, sliced, added.
struct Changes {
  struct Slice {
    std::string parameter;
    int axis = 0;
    std::vector<int64_t> kept;  ///< indices that stay, ascending
  };
  std::vector<std::pair<std::string, std::string>> renamed;  ///< from, to
  std::vector<Slice> sliced;
  std::vector<std::string> added;
  std::vector<std::string> removed;
  int64_t nodes_changed = 0;

  bool empty() const {
    return renamed.empty() && sliced.empty() && added.empty() && removed.empty() && nodes_changed == 0;
  }
  /// Composes with what happened later: names follow renames, and what was added meanwhile needs no slices.
  void append(Changes other);
};

/// A network as data: nodes in topological order over named values and parameters. Movable; copied only by clone().
class Graph {
public:
  explicit Graph(std::string name = "graph") : name(std::move(name)) {}
  Graph(Graph&&) = default;
  Graph& operator=(Graph&&) = default;
  /// A second graph that shares tensor storage with this one until either writes.
  Graph clone() const;

  std::string name;
  std::vector<GraphInput> inputs;
  std::vector<GraphOutput> outputs;
  std::map<std::string, std::string> metadata;  ///< travels in exported files (normalisation, recipe hash, ...)

  // ---- nodes
  // -------------------------------------------------------------------------------------------------------------
  auto nodes() {
    return nodes_ | std::views::transform([](const std::unique_ptr<Node>& node) -> Node& { return *node; });
  }
  auto nodes() const {
    return nodes_ | std::views::transform([](const std::unique_ptr<Node>& node) -> const Node& { return *node; });
  }
  size_t node_count() const { return nodes_.size(); }
  Node* find_node(std::string_view name);
  const Node* find_node(std::string_view name) const;
  /// Throws a request error with the nearest name.
  Node& node(std::string_view name);
  const Node& node(std::string_view name) const;

  Node& add(Node node);  ///< at the end; the name must be free
  Node& insert_before(const Node& place, Node node);
  Node& insert_after(const Node& place, Node node);
  /// Removes a node whose outputs nobody uses any more; throws a run error otherwise.
  void erase(std::string_view name);
  /// Everything that read `from` (nodes and graph outputs) reads `to`, except the node called `but`.
  void replace_uses(std::string_view from, std::string_view to, std::string_view but = {});
  void rename_node(std::string_view from, std::string to);
  /// Restores topological order; throws a request error that names the nodes of a cycle.
  void sort();

  /// The node that makes a value; null for inputs, parameters and unknown names.
  Node* producer(std::string_view value);
  const Node* producer(std::string_view value) const;
  /// The nodes that read a value or parameter, in order, each once.
  std::vector<Node*> consumers(std::string_view value);
  std::vector<const Node*> consumers(std::string_view value) const;
  bool is_output(std::string_view value) const;
  bool is_input(std::string_view value) const;

  // ---- parameters
  // --------------------------------------------------------------------------------------------------------
  auto parameters() {
    return parameters_ | std::views::transform([](const std::unique_ptr<Parameter>& p) -> Parameter& { return *p; });
  }
  auto parameters() const {
    return parameters_ |
           std::views::transform([](const std::unique_ptr<Parameter>& p) -> const Parameter& { return *p; });
  }
  Parameter* find_parameter(std::string_view name);
  const Parameter* find_parameter(std::string_view name) const;
  /// Throws a request error with the nearest name.
  Parameter& parameter(std::string_view name);
  const Parameter& parameter(std::string_view name) const;
  std::vector<std::string> parameter_names() const;

  Parameter& add_parameter(Parameter parameter);
  void erase_parameter(std::string_view name);
  void rename_parameter(std::string_view from, std::string to);
  /// Drops the parameters that no node reads; returns their names.
  std::vector<std::string> erase_unused_parameters();

  /// The tensor of a parameter, for writing in place: unshares it first when a clone holds the same storage.
  at::Tensor& writable(std::string_view name);
  /// Replaces the tensor (any shape).
  void assign(std::string_view name, at::Tensor value);
  /// writable() for every parameter: what training calls before it writes.
  void own_storage();

  /// A free name: `base`, else `base_1`, `base_2`, ...
  std::string unique_name(std::string_view base) const;

  /// Changes with every structural edit and every exchanged tensor: a plan or an optimiser bound at another version is
  /// stale. No two graphs of different content have the same one.
  uint64_t version() const { return version_; }
  /// To be called after a node's inputs or attributes were edited in place.
  void touch();

private:
  struct Text : std::hash<std::string_view> {
    using is_transparent = void;
  };
  template <class T>
  using Index = std::unordered_map<std::string, T, Text, std::equal_to<>>;

  bool taken(std::string_view name) const;
  void claim(const std::string& name) const;
  Node& insert(size_t position, Node node);
  size_t position(const Node& node) const;

  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Parameter>> parameters_;
  Index<Node*> node_index_;
  Index<Parameter*> parameter_index_;
  uint64_t version_ = 0;
};

}  // namespace compress
