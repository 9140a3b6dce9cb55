#include "train/adam_family.h"

#include <torch/optim/adam.h>

namespace compress::train {

namespace {

/// LibTorch's Adam (Kingma and Ba, https://arxiv.org/abs/1412.6980), with weight decay added to the gradient.
class Adam final : public AdamFamily<torch::optim::Adam,
                                     torch::optim::AdamOptions,
                                     torch::optim::AdamParamState,
                                     torch::optim::OptimizerParamGroup> {
public:
  Adam() : AdamFamily("Adam", 0, kDecayInGradient) {}
};

}  // namespace

extern const Entry<Optimizer> adam{"Adam", "Adam, as PyTorch's", make_component<Optimizer, Adam>};

}  // namespace compress::train
