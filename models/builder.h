#pragma once

#include "start.h"
#include "zoo.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace compress::models {

/// What users may ask for.
inline constexpr Range kClasses = in(1, 1e6), kResolutions = in(1, 1e4);
inline constexpr Range kWidths{.low = 0, .high = 16, .open_low = true};

/// What the layers of one network have in common.
struct Style {
  Start conv = kDefaultStart;
  Start linear = kDefaultStart;
  double epsilon = 1e-5;  ///< of batch-norm
  double momentum = 0.1;  ///< of batch-norm: the share of the new statistics, as PyTorch says it
};

/// What a convolution needs beside its name.
struct ConvOptions {
  int64_t channels;
  int64_t kernel;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t groups = 1;
  bool bias = false;
  std::optional<Start> start = {};  ///< absent: the style's
};

/// A pooling window.
struct PoolOptions {
  int64_t kernel;
  int64_t stride;
  int64_t padding = 0;
  bool ceil = false;  ///< a last window that is not full counts too
};

/// Builds a graph layer by layer with PyTorch's parameter names; every function takes and returns the name of a value.
/// Keeps track of the shapes, so that a layer states its output only.
class Builder {
public:
  /// `image`: channels, height and width of the input.
  Builder(Shape image, Seed seed, Style style = {});

  const std::string& input() const { return input_; }
  std::string conv(const std::string& name, const std::string& x, const ConvOptions& options);
  std::string linear(const std::string& name, const std::string& x, int64_t features, bool bias = true);
  std::string batch_norm(const std::string& name, const std::string& x);

  std::string relu(const std::string& name, const std::string& x) { return same(name, "Relu", x); }
  std::string relu6(const std::string& name, const std::string& x);
  std::string hard_swish(const std::string& name, const std::string& x) { return same(name, "HardSwish", x); }
  /// PyTorch's: x / 6 + 1/2 limited to [0, 1].
  std::string hard_sigmoid(const std::string& name, const std::string& x);
  std::string dropout(const std::string& name, const std::string& x, double share);

  std::string max_pool(const std::string& name, const std::string& x, const PoolOptions& options);
  std::string average_pool(const std::string& name, const std::string& x, const PoolOptions& options);
  std::string global_average_pool(const std::string& name, const std::string& x);
  /// Averages to size x size values as PyTorch's adaptive pooling does; x itself when it has that size. Throws a
  /// request error when the windows are of different sizes, which ONNX cannot say.
  std::string adaptive_average_pool(const std::string& name, const std::string& x, int64_t size);

  std::string add(const std::string& name, const std::string& a, const std::string& b);
  /// `b` may be one number for each channel.
  std::string multiply(const std::string& name, const std::string& a, const std::string& b);
  std::string concat(const std::string& name, const std::vector<std::string>& parts);
  /// Zero channels before and behind.
  std::string pad_channels(const std::string& name, const std::string& x, int64_t before, int64_t behind);
  std::string flatten(const std::string& name, const std::string& x);

  int64_t channels(const std::string& value) const;
  /// Names a value as an output.
  void output(const std::string& value, const std::string& name = "output");
  /// Hands the graph over.
  Graph finish() { return std::move(graph_); }
  /// The same with one output.
  Graph finish(const std::string& value);

private:
  std::string
  node(const std::string& name, std::string op, std::vector<std::string> inputs, Attributes attributes = {});
  /// A node that keeps its input's shape.
  std::string same(const std::string& name, std::string op, const std::string& x, Attributes attributes = {});
  std::string pool(const std::string& name, std::string op, const std::string& x, const PoolOptions& options);
  std::string pick(const std::string& name, const std::string& x, int64_t axis, const std::vector<int64_t>& indices);
  void weight(const std::string& name, const Shape& shape, int64_t groups, const Start& start);
  void bias(const std::string& name, int64_t size, int64_t inputs, const Start& start);
  void constant(const std::string& name, int64_t size, double value, bool trainable);

  Graph graph_;
  std::string input_ = "input";
  Seed seed_;
  Style style_;
  std::map<std::string, Shape> shapes_;  ///< without the batch
};

/// `channels` times `width`, rounded, at least one.
int64_t scaled(int64_t channels, double width);

/// The multiple of `divisor` nearest to `channels`, but not less than nine tenths of it: how MobileNets scale widths.
int64_t divisible(double channels, int64_t divisor = 8);

/// A network for square images of three channels, with the arguments that most have.
class ImageModel : public Model {
public:
  ImageModel(int64_t classes, int64_t resolution) : classes_(classes), resolution_(resolution) {}
  void declare(Settings& settings) override;

protected:
  Shape image() const { return {3, resolution_, resolution_}; }
  int64_t classes_;
  int64_t resolution_;
};

}  // namespace compress::models
