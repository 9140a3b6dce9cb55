#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <string>

namespace compress::models {

/// What a convolution needs beside its name.
struct ConvOptions {
  int64_t channels;
  int64_t kernel;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t groups = 1;
  bool bias = false;
};

/// How the weights of convolutions start.
enum class Init {
  uniform,  ///< PyTorch's default: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), bias alike
  kaiming   ///< normal with variance 2 / fan_out (He et al. 2015), as the residual networks use
};

/// Builds a graph layer by layer with PyTorch's parameter names; every function takes and returns the name of a value.
/// Keeps track of the channel count, so that a layer states its output only.
class Builder {
public:
  Builder(std::string name, Shape image, uint64_t seed, Init init = Init::uniform);

  const std::string& input() const { return input_; }
  std::string conv(const std::string& name, const std::string& x, const ConvOptions& options);
  std::string batch_norm(const std::string& name, const std::string& x);
  std::string relu(const std::string& name, const std::string& x);
  std::string max_pool(const std::string& name, const std::string& x, int64_t kernel, int64_t stride);
  std::string global_average_pool(const std::string& name, const std::string& x);
  std::string add(const std::string& name, const std::string& a, const std::string& b);
  std::string flatten(const std::string& name, const std::string& x);
  std::string linear(const std::string& name, const std::string& x, int64_t features);

  int64_t channels(const std::string& value) const;
  /// Names the output and hands the graph over.
  Graph finish(const std::string& value, const std::string& output_name = "output");

private:
  std::string
  node(const std::string& name, std::string op, std::vector<std::string> inputs, Attributes attributes = {});
  void parameter(const std::string& name, const Shape& shape, double bound, bool normal);
  void constant(const std::string& name, int64_t size, double value, bool trainable);

  Graph graph_;
  std::string input_ = "input";
  uint64_t seed_;
  Init init_;
  std::map<std::string, Shape> shapes_;  ///< without the batch
};

}  // namespace compress::models
