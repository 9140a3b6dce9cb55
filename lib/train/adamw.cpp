#include "train/adam_family.h"

#include <torch/optim/adamw.h>

namespace compress::train {

namespace {

/// LibTorch's AdamW (Loshchilov and Hutter, https://arxiv.org/abs/1711.05101): weights shrink by lr * weight_decay,
/// apart from the gradient.
class AdamW final : public AdamFamily<torch::optim::AdamW,
                                      torch::optim::AdamWOptions,
                                      torch::optim::AdamWParamState,
                                      torch::optim::OptimizerParamGroup> {
public:
  AdamW() : AdamFamily("AdamW", 0.01, "each step shrinks the weight by this times the learning rate") {}
};

}  // namespace

extern const Entry<Optimizer> adamw{"AdamW", "Adam with decoupled weight decay, as PyTorch's",
                                    make_component<Optimizer, AdamW>};

}  // namespace compress::train
