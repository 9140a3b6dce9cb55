// Residual networks with batch-norm and ReLU in front of the convolutions (He et al. 2016) for large images, with
// Distiller's parameter names. The first block reads the stem's output, which is active already.
#include "residual_blocks.h"

#include <array>

namespace compress::models {

namespace {

struct PreactForm {
  std::array<int, 4> blocks;
  bool bottleneck = false;
};

class PreactResNet final : public ImageModel {
public:
  explicit PreactResNet(PreactForm form) : ImageModel(1000, 224), form_(form) {}

  void declare(Settings& settings) override {
    ImageModel::declare(settings);
    settings.optional("width", width_, "factor of the channels of all hidden layers", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net(image(), seed, {.conv = kFanOutStart});
    auto x = residual_stem(net, scaled(64, width_));
    for (int stage = 0; stage < 4; ++stage)
      for (int block = 0; block < form_.blocks[static_cast<size_t>(stage)]; ++block)
        x = residual(net, "layer" + std::to_string(stage + 1) + "." + std::to_string(block), x,
                     scaled(64, width_) << stage, stage > 0 && block == 0 ? 2 : 1, stage == 0 && block == 0);
    x = net.relu("final_relu", net.batch_norm("final_bn", x));
    return net.finish(average_and_classify(net, x, classes_));
  }

private:
  std::string residual(Builder& net,
                       const std::string& block,
                       const std::string& x,
                       int64_t channels,
                       int64_t stride,
                       bool active_already) const {
    const auto active = active_already ? x : net.relu(block + ".pre_relu", net.batch_norm(block + ".pre_bn", x));
    const auto y = form_.bottleneck ? three_layers(net, block, active, channels, stride)
                                    : two_layers(net, block, active, channels, stride);
    const bool same = stride == 1 && net.channels(x) == net.channels(y);
    const auto shortcut =
        same ? x
             : net.conv(block + ".downsample.0", active, {.channels = net.channels(y), .kernel = 1, .stride = stride});
    return net.add(block + ".add", y, shortcut);
  }

  static std::string
  two_layers(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride) {
    auto y = net.conv(block + ".conv1", x, {.channels = channels, .kernel = 3, .stride = stride, .padding = 1});
    y = net.relu(block + ".relu1_2", net.batch_norm(block + ".bn1_2", y));
    return net.conv(block + ".conv2", y, {.channels = channels, .kernel = 3, .padding = 1});
  }

  static std::string
  three_layers(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride) {
    auto y = net.conv(block + ".conv1", x, {.channels = channels, .kernel = 1});
    y = net.relu(block + ".relu1_2", net.batch_norm(block + ".bn1_2", y));
    y = net.conv(block + ".conv2", y, {.channels = channels, .kernel = 3, .stride = stride, .padding = 1});
    y = net.relu(block + ".relu2_3", net.batch_norm(block + ".bn2_3", y));
    return net.conv(block + ".conv3", y, {.channels = 4 * channels, .kernel = 1});
  }

  PreactForm form_;
  double width_ = 1;
};

}  // namespace

extern const Family preact_resnet;
const Family preact_resnet{{{"preact_resnet18", "pre-activation residual network of 18 layers",
                             make_model<PreactResNet, PreactForm{.blocks = {2, 2, 2, 2}}>},
                            {"preact_resnet50", "pre-activation residual network of 50 layers",
                             make_model<PreactResNet, PreactForm{.blocks = {3, 4, 6, 3}, .bottleneck = true}>}}};

}  // namespace compress::models
