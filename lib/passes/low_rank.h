#pragma once

#include "graph/graph.h"
#include "ops/op.h"

#include <memory>
#include <string>
#include <vector>

/// How one layer becomes two thinner ones.
namespace compress::passes {

/// A layer's weight as a matrix; a product of two thinner matrices stands for two layers, one behind the other, with
/// `rank` channels between. Full rank computes the same.
class Factorization {
public:
  virtual ~Factorization() = default;
  /// [rows, columns] of the weight.
  virtual at::Tensor matrix(const at::Tensor& weight) const = 0;
  /// Multiply-accumulates of both layers, for one sample.
  virtual int64_t macs(int64_t rank) const = 0;
  /// The weight of the first layer from the right factor [rank, columns] ...
  virtual at::Tensor first_weight(const at::Tensor& right) const = 0;
  /// ... and of the second from the left factor [rows, rank].
  virtual at::Tensor second_weight(const at::Tensor& left) const = 0;
  /// Turns the layer into the second one; the first, whose name, input and weight the caller sets, is returned.
  virtual Node split(Node& layer) const = 0;
};

enum class ConvScheme {
  automatic,  ///< of the two, the one with fewer multiply-accumulates
  channel,    ///< k x k to `rank` channels, then 1 x 1 (Zhang et al. 2016)
  spatial     ///< k x 1 to `rank` channels, then 1 x k (Jaderberg et al. 2014)
};

/// The ways to factorise this node. Throws a request error that says why there is none.
std::vector<std::unique_ptr<Factorization>>
factorizations(const Graph& graph, const Node& node, const ops::Infos& infos, ConvScheme scheme);

}  // namespace compress::passes
