#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <string>

namespace compress::prune {

/// A layer as a linear map at single positions of its output: y = W x + b, where x is what the kernel sees there.
/// Convolutions of any kernel, also grouped ones, and linear layers.
class PointwiseLayer {
public:
  /// Throws a request error when the weight is not that of exactly one convolution or linear layer.
  PointwiseLayer(const Graph& graph, const std::string& weight);

  const std::string& input() const { return input_; }    ///< name of the value it reads
  const std::string& output() const { return output_; }  ///< name of the value it makes
  int64_t groups() const { return groups_; }

  /// `count` random positions of each sample, [samples, count]; all of them in order when it has no more.
  at::Tensor choose_points(const at::Tensor& output, int64_t count, uint64_t key) const;
  /// What W x is at the points: [points, outputs], double; without bias.
  at::Tensor outputs_at(const at::Tensor& output, const at::Tensor& points) const;
  /// What the kernel sees there: [points, groups, inputs of a group * kernel], double.
  at::Tensor inputs_at(const at::Tensor& input, const at::Tensor& points) const;

  /// A tensor of the weight's shape as [groups, outputs of a group, inputs of a group * kernel], double, and back.
  at::Tensor matrix_of(const at::Tensor& weight) const;
  at::Tensor weight_of_matrix(const at::Tensor& matrix) const;

private:
  at::Tensor patches(const at::Tensor& input, const at::Tensor& points) const;

  std::string input_, output_;
  bool convolves_ = false, transposed_ = false;  ///< transposed: the weight is [inputs, outputs]
  bool channels_last_ = false;                   ///< of the values: [samples, ..., channels]
  int64_t groups_ = 1;
  double factor_ = 1;  ///< of W x
  Shape shape_;        ///< of the weight
  Shape strides_, dilations_, pads_;
  at::Tensor bias_;
};

}  // namespace compress::prune
