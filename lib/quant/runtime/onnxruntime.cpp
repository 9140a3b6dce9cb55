#include "quant/rules/grid_words.h"
#include "quant/runtime/runtime.h"

/// ONNX Runtime on processors: values 8 bits unsigned with a zero point, weights 8 bits signed per output channel,
/// biases 32 bits on the accumulator's grid. Operators: those whose QDQ form it fuses to an integer kernel (its graph
/// transformers "QDQ selectors"), and those that only move numbers.
namespace compress::quant {
namespace {

class OnnxRuntimeRuntime final : public Runtime {
public:
  LayerRule rule() const override {
    return {.activations = {.bits = 8, .grid = kAsymmetricUnsigned},
            .weights = {.bits = 8, .grid = kSymmetricRestricted, .per_channel = true}};
  }

  std::string_view operators() const override {
    return "Conv ConvBatchNormalization Gemm MatMul Add Mul AveragePool GlobalAveragePool Relu Clip LeakyRelu "
           "Sigmoid Softmax Concat Resize Split Slice Pad Gather DepthToSpace SpaceToDepth Expand MaxPool "
           "GlobalMaxPool Reshape Flatten Transpose Squeeze Unsqueeze Identity Dropout";
  }
};

}  // namespace

extern const Entry<Runtime> onnxruntime_runtime;
const Entry<Runtime> onnxruntime_runtime{"onnxruntime", "ONNX Runtime on processors: u8 values, s8 weights per channel",
                                         make_component<Runtime, OnnxRuntimeRuntime>};

}  // namespace compress::quant
