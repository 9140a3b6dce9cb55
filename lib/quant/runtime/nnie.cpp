#include "quant/rules/grid_words.h"
#include "quant/runtime/runtime.h"

/// HiSilicon NNIE: values and weights in the logarithmic format GFPQ of 8 bits (16: bits_activations and bits_weights),
/// one mark for each tensor; biases stay in floating point (see docs/quantization.md).
namespace compress::quant {
namespace {

class NnieRuntime final : public Runtime {
public:
  LayerRule rule() const override {
    constexpr ops::GridSpec kGfpq{.format = ops::GridFormat::gfpq};
    return {.activations = {.bits = 8, .grid = kGfpq}, .weights = {.bits = 8, .grid = kGfpq}, .float_bias = true};
  }

  std::string_view operators() const override {
    return "Conv ConvBatchNormalization ConvTranspose Gemm Add Mul AveragePool GlobalAveragePool Relu LeakyRelu "
           "PRelu Sigmoid Tanh Concat Split Slice MaxPool GlobalMaxPool Reshape Flatten Transpose Squeeze "
           "Unsqueeze Identity Dropout";
  }

  bool constant_operands() const override { return false; }
};

}  // namespace

extern const Entry<Runtime> nnie_runtime;
const Entry<Runtime> nnie_runtime{"nnie", "HiSilicon NNIE: values and weights in GFPQ of 8 or 16 bits",
                                  make_component<Runtime, NnieRuntime>};

}  // namespace compress::quant
