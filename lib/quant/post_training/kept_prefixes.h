#pragma once

#include "exec/plan.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace compress::quant {

/// What is alive before a node of a network, for each batch of samples that run again and again: going on from there
/// spares what runs before the node. Memory does not depend on the number of samples.
class KeptPrefixes {
public:
  static constexpr int64_t kMostBytes = int64_t{1} << 30;

  /// Keeps so many bytes, and one batch more. Batches that have no room are dropped, the last first.
  explicit KeptPrefixes(int64_t most_bytes = kMostBytes) : most_bytes_(most_bytes) {}

  /// The values before the node, of the batch of this number; null when there is no room to keep them. What is kept of
  /// an earlier node moves on, so nodes come in the graph's order (unless clear() is called), and so do batches. `plan`
  /// is one of the same nodes at every call; `inputs` are looked at for batches that are not kept.
  const exec::Plan::Live*
  before(const std::string& node, const exec::Plan& plan, size_t batch, std::span<const at::Tensor> inputs);

  /// How many batches are kept, the first ones.
  size_t batches() const { return kept_.size(); }
  /// The nodes before which something is kept, one for each of these batches.
  std::vector<std::string> nodes() const;
  void clear();

private:
  struct Kept {
    std::string node;
    exec::Plan::Live live;
    int64_t bytes = 0;
  };

  int64_t most_bytes_;
  std::vector<Kept> kept_;
  int64_t bytes_ = 0;
};

}  // namespace compress::quant
