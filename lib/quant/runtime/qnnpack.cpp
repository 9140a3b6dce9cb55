#include "quant/rules/grid_words.h"
#include "quant/runtime/runtime.h"

/// QNNPACK, the integer kernels of PyTorch on phones: values 8 bits unsigned with a zero point, weights 8 bits signed
/// with one scale (per_channel_weights: true works too, since PyTorch 1.7), biases 32 bits.
namespace compress::quant {
namespace {

class QnnpackRuntime final : public Runtime {
public:
  LayerRule rule() const override {
    return {.activations = {.bits = 8, .grid = kAsymmetricUnsigned}, .weights = {.bits = 8, .grid = kSymmetric}};
  }

  std::string_view operators() const override {
    return "Conv ConvBatchNormalization ConvTranspose Gemm MatMul Add Mul AveragePool GlobalAveragePool Relu "
           "Clip LeakyRelu HardSwish HardSigmoid Sigmoid Tanh Softmax Concat Resize Split Slice Pad MaxPool "
           "GlobalMaxPool Reshape Flatten Transpose Squeeze Unsqueeze Identity Dropout";
  }
};

}  // namespace

extern const Entry<Runtime> qnnpack_runtime;
const Entry<Runtime> qnnpack_runtime{"qnnpack", "QNNPACK (PyTorch on phones): u8 values, s8 weights with one scale",
                                     make_component<Runtime, QnnpackRuntime>};

}  // namespace compress::quant
