#pragma once

#include "graph/graph.h"
#include "zoo.h"

namespace compress::models {

/// How the weights of a layer start: uniform in +-sqrt(factor / fan), or normal with variance factor / fan.
struct Start {
  enum class Draw { uniform, normal };
  enum class Fan {
    in,         ///< inputs of one output
    out,        ///< output channels * kernel area, as PyTorch counts it: of all groups
    group_out,  ///< the same of one group, as timm counts it
    one
  };
  Draw draw = Draw::uniform;
  Fan fan = Fan::in;
  double factor = 1;
  bool draw_bias = false;  ///< the bias starts uniform in +-1 / sqrt(inputs) instead of 0
};
/// PyTorch's default.
inline constexpr Start kDefaultStart{.draw_bias = true};
/// He et al. 2015, as residual networks use it.
inline constexpr Start kFanOutStart{.draw = Start::Draw::normal, .fan = Start::Fan::out, .factor = 2};
inline constexpr Start kFanInStart{.draw = Start::Draw::normal, .factor = 2};
/// Standard deviation 0.01.
inline constexpr Start kSmallStart{.draw = Start::Draw::normal, .fan = Start::Fan::one, .factor = 1e-4};

/// A weight whose first axis counts outputs and whose second inputs of one group. The values are a function of the seed
/// and the name alone; without a seed they are zeros that take no memory.
at::Tensor initial_weight(const Shape& shape, int64_t groups, const Start& start, Seed seed, const std::string& name);
/// A bias behind so many inputs.
at::Tensor initial_bias(int64_t size, int64_t inputs, const Start& start, Seed seed, const std::string& name);

}  // namespace compress::models
