#include "quant/rules/grid_words.h"
#include "quant/runtime/runtime.h"

/// CMSIS-NN on microcontrollers, by the rules of TensorFlow Lite for 8-bit integers: values signed with a zero point,
/// weights signed without the lowest integer, per output channel, biases 32 bits.
namespace compress::quant {
namespace {

class CmsisNnRuntime final : public Runtime {
public:
  LayerRule rule() const override {
    return {.activations = {.bits = 8, .grid = kAsymmetricSigned},
            .weights = {.bits = 8, .grid = kSymmetricRestricted, .per_channel = true}};
  }

  std::string_view operators() const override {
    return "Conv ConvBatchNormalization ConvTranspose Gemm MatMul Add Mul AveragePool GlobalAveragePool Relu "
           "Clip Softmax Min Max Concat Pad Transpose Reshape Flatten Squeeze Unsqueeze Identity Dropout "
           "MaxPool Split Slice";
  }
};

}  // namespace

extern const Entry<Runtime> cmsis_nn_runtime;
const Entry<Runtime> cmsis_nn_runtime{
    "cmsis-nn", "CMSIS-NN on microcontrollers: s8 values with a zero point, s8 weights per channel",
    make_component<Runtime, CmsisNnRuntime>};

}  // namespace compress::quant
