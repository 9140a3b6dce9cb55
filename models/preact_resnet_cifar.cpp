// Residual networks with batch-norm and ReLU in front of the convolutions (He et al. 2016) for 32x32 images, with
// Distiller's parameter names. Where a stage changes the size the shortcut averages 2x2 and pads zero channels on both
// sides; in the "_conv_ds" variants it is a 1x1 convolution of the activated input.
#include "residual_blocks.h"

namespace compress::models {

namespace {

class PreactResNetCifar final : public Model {
public:
  PreactResNetCifar(int depth, bool convolve) : depth_(depth), convolve_(convolve) {}

  void declare(Settings& settings) override { settings.optional("classes", classes_, "number of classes", kClasses); }

  Graph build(Seed seed) const override {
    Builder net({3, 32, 32}, seed, {.conv = kFanOutStart});
    auto x = net.conv("conv1", net.input(), {.channels = 16, .kernel = 3, .padding = 1});
    for (int stage = 0; stage < 3; ++stage)
      for (int block = 0; block < (depth_ - 2) / 6; ++block)
        x = residual(net, "layer" + std::to_string(stage + 1) + "." + std::to_string(block), x, int64_t{16} << stage,
                     stage > 0 && block == 0);
    x = net.relu("final_relu", net.batch_norm("final_bn", x));
    return net.finish(average_and_classify(net, x, classes_));
  }

private:
  std::string
  residual(Builder& net, const std::string& block, const std::string& x, int64_t channels, bool halve) const {
    const auto active = net.relu(block + ".pre_relu", net.batch_norm(block + ".pre_bn", x));
    auto y =
        net.conv(block + ".conv1", active, {.channels = channels, .kernel = 3, .stride = halve ? 2 : 1, .padding = 1});
    y = net.relu(block + ".relu", net.batch_norm(block + ".bn", y));
    y = net.conv(block + ".conv2", y, {.channels = channels, .kernel = 3, .padding = 1});
    return net.add(block + ".add", y, halve ? downsample(net, block + ".downsample", x, active, channels) : x);
  }

  std::string downsample(
      Builder& net, const std::string& name, const std::string& x, const std::string& active, int64_t channels) const {
    if (convolve_) return net.conv(name, active, {.channels = channels, .kernel = 1, .stride = 2});
    const auto missing = channels - net.channels(x);
    return net.pad_channels(name + ".1", net.average_pool(name + ".0", x, {.kernel = 2, .stride = 2}), missing / 2,
                            missing - missing / 2);
  }

  int depth_;
  bool convolve_;
  int64_t classes_ = 10;
};

constexpr std::string_view kPadded = "pre-activation residual network for 32x32 images, shortcuts average and pad";
constexpr std::string_view kConvolved = "pre-activation residual network for 32x32 images, shortcuts convolve";

}  // namespace

extern const Family preact_resnet_cifar;
const Family preact_resnet_cifar{
    {{"preact_resnet20_cifar", kPadded, make_model<PreactResNetCifar, 20, false>},
     {"preact_resnet32_cifar", kPadded, make_model<PreactResNetCifar, 32, false>},
     {"preact_resnet44_cifar", kPadded, make_model<PreactResNetCifar, 44, false>},
     {"preact_resnet56_cifar", kPadded, make_model<PreactResNetCifar, 56, false>},
     {"preact_resnet110_cifar", kPadded, make_model<PreactResNetCifar, 110, false>},
     {"preact_resnet20_cifar_conv_ds", kConvolved, make_model<PreactResNetCifar, 20, true>},
     {"preact_resnet32_cifar_conv_ds", kConvolved, make_model<PreactResNetCifar, 32, true>},
     {"preact_resnet44_cifar_conv_ds", kConvolved, make_model<PreactResNetCifar, 44, true>},
     {"preact_resnet56_cifar_conv_ds", kConvolved, make_model<PreactResNetCifar, 56, true>},
     {"preact_resnet110_cifar_conv_ds", kConvolved, make_model<PreactResNetCifar, 110, true>}}};

}  // namespace compress::models
