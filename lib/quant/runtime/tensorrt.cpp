#include "quant/rules/grid_words.h"
#include "quant/runtime/runtime.h"

/// TensorRT: everything 8 bits signed and symmetric, weights per output channel; zero points other than 0 are refused,
/// and so are biases of integers: they stay in floating point. Constants that are added or multiplied do too.
namespace compress::quant {
namespace {

class TensorRtRuntime final : public Runtime {
public:
  LayerRule rule() const override {
    return {.activations = {.bits = 8, .grid = kSymmetricRestricted},
            .weights = {.bits = 8, .grid = kSymmetricRestricted, .per_channel = true},
            .float_bias = true};
  }

  std::string_view operators() const override {
    return "Conv ConvBatchNormalization ConvTranspose Gemm MatMul Add Sub Mul Div AveragePool GlobalAveragePool "
           "Relu Clip LeakyRelu Sigmoid Tanh HardSigmoid Concat Resize Split Slice Pad ReduceMean MaxPool "
           "GlobalMaxPool Reshape Flatten Transpose Squeeze Unsqueeze Identity Dropout";
  }

  bool constant_operands() const override { return false; }
};

}  // namespace

extern const Entry<Runtime> tensorrt_runtime;
const Entry<Runtime> tensorrt_runtime{
    "tensorrt", "TensorRT: s8 symmetric values and weights (per channel), biases in floating point",
    make_component<Runtime, TensorRtRuntime>};

}  // namespace compress::quant
