// Residual networks for large images and their relatives: ResNet (He et al. 2015; the stride in the 3x3 convolution, as
// torchvision has it), ResNeXt (Xie et al. 2016), wide ResNet (Zagoruyko and Komodakis 2016), with torchvision's
// parameter names. Distiller's early exits are further outputs behind the first two stages.
#include "residual_blocks.h"

#include <array>

namespace compress::models {

namespace {

struct ResNetForm {
  std::array<int, 4> blocks;
  bool bottleneck = true;
  int groups = 1;
  int group_width = 64;  ///< channels of a group in the first stage's bottleneck
  bool early_exits = false;
};

class ResNet final : public ImageModel {
public:
  explicit ResNet(ResNetForm form) : ImageModel(1000, 224), form_(form) {}

  void declare(Settings& settings) override {
    ImageModel::declare(settings);
    settings.optional("width", width_, "factor of the channels of all hidden layers", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net(image(), seed, {.conv = kFanOutStart});
    auto x = residual_stem(net, scaled(64, width_));
    std::vector<std::string> exits;
    for (int stage = 0; stage < 4; ++stage) {
      for (int block = 0; block < form_.blocks[static_cast<size_t>(stage)]; ++block) {
        const auto name = "layer" + std::to_string(stage + 1) + "." + std::to_string(block);
        const int64_t channels = scaled(64, width_) << stage, stride = stage > 0 && block == 0 ? 2 : 1;
        x = form_.bottleneck ? bottleneck(net, name, x, channels, stride) : basic_block(net, name, x, channels, stride);
      }
      if (form_.early_exits && stage < 2) exits.push_back(exit_branch(net, x, stage == 0 ? 10 : 12));
    }
    net.output(average_and_classify(net, x, classes_));
    for (size_t i = 0; i < exits.size(); ++i) net.output(exits[i], "exit" + std::to_string(i));
    return net.finish();
  }

private:
  std::string
  bottleneck(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride) const {
    const auto width = std::max<int64_t>(1, channels * form_.group_width / 64) * form_.groups;
    auto y = net.conv(block + ".conv1", x, {.channels = width, .kernel = 1});
    y = net.relu(block + ".relu1", net.batch_norm(block + ".bn1", y));
    y = net.conv(block + ".conv2", y,
                 {.channels = width, .kernel = 3, .stride = stride, .padding = 1, .groups = form_.groups});
    y = net.relu(block + ".relu2", net.batch_norm(block + ".bn2", y));
    y = net.conv(block + ".conv3", y, {.channels = 4 * channels, .kernel = 1});
    y = net.batch_norm(block + ".bn3", y);
    y = net.add(block + ".add", y, projection_shortcut(net, block, x, 4 * channels, stride));
    return net.relu(block + ".relu3", y);
  }

  /// Distiller's: a 7x7 convolution and pooling, both halving the size, then a linear layer.
  std::string exit_branch(Builder& net, const std::string& x, int64_t channels) const {
    const auto branch = x + ".branch_net.";
    auto y =
        net.conv(branch + "0", x,
                 {.channels = channels, .kernel = 7, .stride = 2, .padding = 3, .bias = true, .start = kDefaultStart});
    y = net.max_pool(branch + "1", y, {.kernel = 3, .stride = 2, .padding = 1});
    return net.linear(branch + "3", net.flatten(branch + "2", y), classes_);
  }

  ResNetForm form_;
  double width_ = 1;
};

}  // namespace

extern const Family resnet;
const Family resnet{
    {{"resnet18", "residual network of 18 layers",
      make_model<ResNet, ResNetForm{.blocks = {2, 2, 2, 2}, .bottleneck = false}>},
     {"resnet34", "residual network of 34 layers",
      make_model<ResNet, ResNetForm{.blocks = {3, 4, 6, 3}, .bottleneck = false}>},
     {"resnet50", "residual network of 50 layers", make_model<ResNet, ResNetForm{.blocks = {3, 4, 6, 3}}>},
     {"resnet101", "residual network of 101 layers", make_model<ResNet, ResNetForm{.blocks = {3, 4, 23, 3}}>},
     {"resnet152", "residual network of 152 layers", make_model<ResNet, ResNetForm{.blocks = {3, 8, 36, 3}}>},
     {"resnext50_32x4d", "ResNeXt of 50 layers, 32 groups of 4 channels",
      make_model<ResNet, ResNetForm{.blocks = {3, 4, 6, 3}, .groups = 32, .group_width = 4}>},
     {"resnext101_32x4d", "ResNeXt of 101 layers, 32 groups of 4 channels",
      make_model<ResNet, ResNetForm{.blocks = {3, 4, 23, 3}, .groups = 32, .group_width = 4}>},
     {"wide_resnet50_2", "resnet50 with bottlenecks of twice the width",
      make_model<ResNet, ResNetForm{.blocks = {3, 4, 6, 3}, .group_width = 128}>},
     {"resnet50_earlyexit", "resnet50 with early exits behind the first two stages (outputs exit0, exit1)",
      make_model<ResNet, ResNetForm{.blocks = {3, 4, 6, 3}, .early_exits = true}>}}};

}  // namespace compress::models
