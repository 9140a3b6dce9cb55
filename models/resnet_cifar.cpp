// Residual networks for 32x32 images (He et al. 2015, section 4.2): three stages of n blocks, depth 6n + 2, with
// Distiller's parameter names. Where a stage changes the size its first block's shortcut is a 1x1 convolution
// ("downsample"). Distiller's early exit is a second output behind the first stage.
#include "residual_blocks.h"

namespace compress::models {

namespace {

class ResNetCifar final : public Model {
public:
  explicit ResNetCifar(int depth, bool early_exit = false) : depth_(depth), early_exit_(early_exit) {}

  void declare(Settings& settings) override { settings.optional("classes", classes_, "number of classes", kClasses); }

  Graph build(Seed seed) const override {
    Builder net({3, 32, 32}, seed, {.conv = kFanOutStart});
    auto x = net.conv("conv1", net.input(), {.channels = 16, .kernel = 3, .padding = 1});
    x = net.relu("relu", net.batch_norm("bn1", x));
    std::string exit;
    for (int stage = 0; stage < 3; ++stage) {
      for (int block = 0; block < (depth_ - 2) / 6; ++block)
        x = basic_block(net, "layer" + std::to_string(stage + 1) + "." + std::to_string(block), x, int64_t{16} << stage,
                        stage > 0 && block == 0 ? 2 : 1);
      if (stage == 0 && early_exit_) exit = exit_branch(net, x);
    }
    net.output(average_and_classify(net, x, classes_));
    if (early_exit_) net.output(exit, "exit0");
    return net.finish();
  }

private:
  std::string exit_branch(Builder& net, const std::string& x) const {
    const auto branch = x + ".branch_net.";
    const auto pooled = net.average_pool(branch + "0", x, {.kernel = 3, .stride = 3});
    return net.linear(branch + "2", net.flatten(branch + "1", pooled), classes_);
  }

  int depth_;
  bool early_exit_;
  int64_t classes_ = 10;
};

}  // namespace

extern const Family resnet_cifar;
const Family resnet_cifar{
    {{"resnet20_cifar", "residual network of 20 layers for 32x32 images", make_model<ResNetCifar, 20>},
     {"resnet32_cifar", "residual network of 32 layers for 32x32 images", make_model<ResNetCifar, 32>},
     {"resnet44_cifar", "residual network of 44 layers for 32x32 images", make_model<ResNetCifar, 44>},
     {"resnet56_cifar", "residual network of 56 layers for 32x32 images", make_model<ResNetCifar, 56>},
     {"resnet110_cifar", "residual network of 110 layers for 32x32 images", make_model<ResNetCifar, 110>},
     {"resnet20_cifar_earlyexit", "resnet20_cifar with an early exit behind the first stage (output exit0)",
      make_model<ResNetCifar, 20, true>}}};

}  // namespace compress::models
