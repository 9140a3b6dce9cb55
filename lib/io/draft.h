#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// The importer's working form: an ONNX model without protobuf, still with ONNX's value names.
///
///     read_draft    bytes -> Draft: everything a file can get wrong is found here; the model's own functions are
///     inlined fold          shape arithmetic and constants computed, If and Loop unrolled, constant inputs become
///     attributes,
///                   operators without effect go
///     join_linear   MatMul (+ Add) -> Gemm; join_slices: a chain of slices -> one
///     build_graph   names of nodes and parameters; Draft -> Graph
namespace compress::io {

struct Body;

struct DraftNode {
  std::string name, op, domain;
  std::string scope;  ///< dotted path of the PyTorch module, when the exporter recorded it; "?" when it did not
  std::vector<std::string> inputs, outputs;
  Attributes attributes;
  std::map<std::string, at::Tensor> tensors;  ///< attributes that are tensors (Constant, ConstantOfShape)
  std::map<std::string, std::shared_ptr<const Body>> bodies;  ///< subgraphs (of If and Loop), by attribute
  int64_t opset = 0;                                          ///< the operator set it was written for

  bool has_input(size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
  /// The values it needs: its inputs, and what its subgraphs take from outside.
  std::vector<std::string> reads() const;
  /// "node 'conv1' (Conv)"
  std::string str() const;
};

/// A tensor known at import.
struct DraftConstant {
  at::Tensor value;
  std::string name;  ///< what the parameter shall be called; "" when the file gives it no name worth keeping
};

/// The names of those that came from no initialiser, or whose names an exporter made up, are empty.
using DraftConstants = std::map<std::string, DraftConstant>;

/// A subgraph. Its values' names hold inside it only.
struct Body {
  std::vector<std::string> inputs, outputs;
  DraftConstants constants;
  std::vector<DraftNode> nodes;  ///< in topological order
  std::set<std::string> outer;   ///< values of the graph around it that it reads
};

/// What our own exporter records beside the model, so that reading it gives the same graph.
struct OwnRecord {
  std::set<std::string> fixed;  ///< parameters that are not trainable
  std::map<std::string, std::map<std::string, Attribute>>
      exact;  ///< attributes (by node) that ONNX's 32-bit floats cannot hold
};

struct Draft {
  std::string name;
  std::vector<DraftNode> nodes;
  DraftConstants constants;                 ///< by value name
  std::vector<std::string> constant_order;  ///< the initialisers, in the file's order
  std::vector<GraphInput> inputs;
  std::vector<std::string> outputs;                       ///< what the outside calls them
  std::vector<std::string> output_values;                 ///< the values they are (after fold)
  std::map<std::string, std::pair<Shape, Shape>> shapes;  ///< of every value in the two imagined runs (after fold)
  std::map<std::string, std::string> metadata;
  std::optional<OwnRecord> own;  ///< set when we wrote the file

  /// How often nodes and outputs read a value.
  int readers(std::string_view value) const;
};

/// The metadata key of the OwnRecord, as JSON.
inline constexpr const char* kOwnRecordKey = "compress.form";
/// Nodes with this prefix only rename a value to an output; the exact reader removes them.
inline constexpr const char* kOutputPrefix = "compress.output/";

/// A 32-bit float as the shortest decimal that means it: 1e-5 rather than 9.99999974738e-06.
double shortest(float value);

/// Where a model's external data lies: the folder of the file, "." for a bare name.
std::filesystem::path folder_of(const std::filesystem::path& file);

/// Throws a request error for anything that is not a model; `name` names it, `folder` is empty when there is none.
/// `elsewhere`: initialisers that the caller kept (ExportOptions::elsewhere).
Draft read_draft(std::string_view bytes,
                 const std::string& name,
                 const std::filesystem::path& folder,
                 const std::map<std::string, at::Tensor>& elsewhere = {});

/// Restores topological order; throws a request error that names a node of a cycle.
void sort_nodes(std::vector<DraftNode>& nodes);

/// One size of the batch for each of two imagined runs; what comes out the same in both does not depend on the batch.
/// Empty sizes for inputs that have none. Equal numbers when the batch is fixed.
struct Batches {
  int64_t first = 2, second = 3;
};

/// See above. `draft.inputs` say where the batch is. A size that the file fixed to `frozen_batch` in a Reshape is freed
/// (0: none was).
Draft fold(const Draft& draft, Batches batches, int64_t frozen_batch);

/// MatMul with a weight, and the Add of a bias behind it, become Gemm.
void join_linear(Draft& draft);
/// Stacks of values that are taken apart again, or joined along another axis, disappear.
void join_stacks(Draft& draft);
/// Slices one behind the other, along different axes, become one.
void join_slices(Draft& draft);

enum class Naming { canonical, as_in_file };
Graph build_graph(const Draft& draft, Naming naming);

}  // namespace compress::io
