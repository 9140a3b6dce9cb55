#pragma once

#include "io/convert_node.h"
#include "io/draft.h"

#include <array>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace compress::io {

/// Follows an ONNX graph twice, with two different batch sizes, computing what does not depend on the network's inputs:
/// constants and shape arithmetic. What comes out the same in both runs is a constant; what differs only as the batch
/// does becomes "as the input" in a Reshape. If and Loop are unrolled on the way.
class Folding {
public:
  Folding(const Draft& draft, Batches batches, int64_t frozen_batch)
      : draft_(draft), batches_(batches), frozen_batch_(frozen_batch) {}

  Draft run();

private:
  /// Where a node stands: in the graph, or in one run of a subgraph, whose values have other names outside.
  struct Scope {
    const Scope* outer = nullptr;
    std::unordered_map<std::string, std::string> names = {};
    std::string prefix = {};     ///< of values
    std::string path = {};       ///< of nodes
    std::string constants = {};  ///< prefix of the subgraph's constants, the same in each iteration
  };

  void refuse_unknown_operators() const;
  void find_reads();
  void know_input(const GraphInput& input);
  void know_constant(const std::string& value, const at::Tensor& tensor, const std::string& name);
  void know_values(const std::string& value, std::array<at::Tensor, 2> tensors, const std::string& name);
  std::string resolve(const std::string& value, const Scope* scope = nullptr) const;
  std::vector<Known> inputs_of(const DraftNode& node) const;

  void visit(DraftNode node, const Scope* scope);
  void stand_for(const std::string& output, const std::string& value);
  void know_constant_node(const DraftNode& node);
  void know_shape(const DraftNode& node, const std::vector<Known>& inputs);
  void keep(DraftNode node, const std::vector<Known>& inputs);
  /// False when the operator cannot be computed here (own quantisers stay what they are, random ones, ...).
  bool compute(const DraftNode& node, const std::vector<Known>& inputs);
  const std::string* computed_before(const DraftNode& node);
  std::vector<at::Tensor>
  evaluate(DraftNode node, const ops::Op* op, const std::vector<Known>& inputs, size_t world) const;
  std::vector<Known> infer(const DraftNode& node, const ops::Op& op, const std::vector<Known>& inputs) const;
  std::set<std::string> drop_dead_nodes();
  void finish();

  // ---- control flow (unroll.cpp) -----------------------------------------------------------------------------------
  using Values = std::vector<std::string>;
  void unroll_if(const DraftNode& node, const std::vector<Known>& inputs, const Scope* scope);
  void unroll_loop(const DraftNode& node, const std::vector<Known>& inputs, const Scope* scope);
  /// Visits the nodes of a subgraph; its outputs, by the names they have outside.
  Values visit_body(const Body& body, Scope& scope);
  /// One number of both worlds. Throws a request error that says `what` is computed from the network's inputs.
  int64_t known_number(const DraftNode& node, const Known& known, const char* what) const;
  void stack(const DraftNode& node, const std::string& output, const Values& parts);
  std::string fresh(const DraftNode& node);

  // ---- recurrent layers (split_recurrent.cpp) ----------------------------------------------------------------------
  struct Recurrent;
  void split_recurrent(const DraftNode& node, const std::vector<Known>& inputs);
  Values keep_direction(const Recurrent& r, const std::string& sequence, size_t outputs);
  std::string recurrent_weight(const Recurrent& r, size_t input, size_t half, const char* role);
  std::string recurrent_state(const Recurrent& r, size_t input);
  std::string
  add_step(const DraftNode& node, const char* op, Values inputs, Attributes attributes, std::string output = {});
  std::string
  know_part(const Known& whole, const std::string& key, std::array<at::Tensor, 2> values, const std::string& name);

  // ---- constants that repeat along the batch (expand_batch.cpp) ----------------------------------------------------
  /// They become ExpandBatch of one sample, or that sample where broadcasting does the same.
  void expand_batch(DraftNode& node, std::vector<Known>& inputs);

  const Draft& draft_;
  const Batches batches_;
  const int64_t frozen_batch_;
  Draft result_;
  std::unordered_map<std::string, Known> known_;
  std::unordered_map<std::string, std::string> alias_;
  std::unordered_map<std::string, std::vector<DraftNode>> computed_;  ///< by operator and inputs
  std::unordered_map<const void*, std::string> tensors_;              ///< values of Constant nodes, by their tensors
  std::map<std::string, std::string> parts_;                          ///< constants made of part of another, by key
  std::map<std::string, Values> derived_;  ///< by name of an initialiser: constants that take its place in the order
  std::map<std::string, std::pair<std::string, std::string>> origins_;  ///< name and scope of the node of a known value
  std::map<std::string, int> recurrent_layers_;                         ///< seen so far, by module
  std::set<std::string> reads_;                                         ///< values that anything reads
  int64_t visited_ = 0, unrolled_ = 0;
};

}  // namespace compress::io
