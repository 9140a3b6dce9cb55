#pragma once

#include "quant/quantizer.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace compress::test {

/// A graph from its text form with reproducible weights; statistics look like those of a trained batch-norm.
Graph filled_graph(const std::string& text);

/// A quantiser with arguments from YAML, checked but not bound.
std::unique_ptr<quant::Quantizer> make_quantizer(const std::string& name, const std::string& yaml);

/// Binds and prepares; raises what bind() found.
Changes quantize(Graph& graph,
                 const std::string& name,
                 const std::string& yaml,
                 const quant::CalibrationBatches& calibration = {});

/// Calibration by the given batches of a graph with one input.
quant::CalibrationBatches calibration_of(std::vector<at::Tensor> batches);

/// Trains the output [16, 5] or [16, 2, 8, 8] of a graph with input [16, 3, 8, 8] towards fixed targets by plain
/// gradient descent, masked weights staying masked; returns the losses. The gradients of the last step stay.
std::vector<double> gradient_descent(Graph& graph, int steps, double rate);

/// A normal tensor that depends on the seed alone.
at::Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed);

/// The graph's first output in evaluation.
at::Tensor evaluated(const Graph& graph, const at::Tensor& x);

/// The nodes of the text form, without header and parameters; attributes left out.
std::string wiring(const Graph& graph);

/// Residual block: two convolutions with batch-norm, shortcut, ReLUs, mean, linear.
inline const std::string kResidual = R"(graph residual(input: float[N,3,8,8]) -> (output = fc)
parameter conv1.weight: float[8,3,3,3]
parameter bn1.weight: float[8]
parameter bn1.bias: float[8]
parameter bn1.running_mean: float[8] fixed
parameter bn1.running_var: float[8] fixed
parameter conv2.weight: float[8,8,3,3]
parameter bn2.weight: float[8]
parameter bn2.bias: float[8]
parameter bn2.running_mean: float[8] fixed
parameter bn2.running_var: float[8] fixed
parameter fc.weight: float[5,8]
parameter fc.bias: float[5]
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3] pads=[1,1,1,1]
bn1 = BatchNormalization(conv1, %bn1.weight, %bn1.bias, %bn1.running_mean, %bn1.running_var)
relu1 = Relu(bn1)
conv2 = Conv(relu1, %conv2.weight) kernel_shape=[3,3] pads=[1,1,1,1]
bn2 = BatchNormalization(conv2, %bn2.weight, %bn2.bias, %bn2.running_mean, %bn2.running_var)
add = Add(bn2, relu1)
relu2 = Relu(add)
pool = GlobalAveragePool(relu2)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)";

/// Two convolutions with one weight.
inline const std::string kTied = R"(graph tied(input: float[N,3,8,8]) -> (output = b)
parameter w.weight: float[3,3,1,1]
a = Conv(input, %w.weight) kernel_shape=[1,1]
b = Conv(a, %w.weight) kernel_shape=[1,1]
)";

/// A linear layer "fc" on input x with fixed quantisers, its numbers still 0: x has `bits` unsigned bits, the weight 8
/// with a scale for each output, the bias 32.
Graph quantized_linear(int64_t outputs, int64_t inputs, int bits = 8);

/// Small U-Net: the skip connection joins a Concat after a MaxPool and an up-sampling depthwise part of the same size.
inline const std::string kSkip = R"(graph skip(input: float[N,3,8,8]) -> (output = head)
parameter a.weight: float[4,3,3,3]
parameter a.bias: float[4]
parameter d.weight: float[4,1,3,3]
parameter d.bias: float[4]
parameter head.weight: float[2,8,1,1]
parameter head.bias: float[2]
a = Conv(input, %a.weight, %a.bias) kernel_shape=[3,3] pads=[1,1,1,1]
a_relu = Relu(a)
pooled = MaxPool(a_relu) kernel_shape=[3,3] pads=[1,1,1,1]
d = Conv(pooled, %d.weight, %d.bias) group=4 kernel_shape=[3,3] pads=[1,1,1,1]
d_relu = Clip(d) max=6.0 min=0.0
both = Concat(a_relu, d_relu) axis=1
head = Conv(both, %head.weight, %head.bias) kernel_shape=[1,1]
)";

}  // namespace compress::test
