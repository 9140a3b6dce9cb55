// Residual networks for 32x32 images (He et al. 2015, section 4.2): three stages of n blocks, depth 6n + 2, with
// Distiller's parameter names. Where a stage changes the size its first block's shortcut is a 1x1 convolution
// ("downsample").
#include "builder.h"
#include "zoo.h"

namespace compress::models {

namespace {

std::string shortcut(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride) {
  if (stride == 1 && net.channels(x) == channels) return x;
  const auto y = net.conv(block + ".downsample.0", x, {.channels = channels, .kernel = 1, .stride = stride});
  return net.batch_norm(block + ".downsample.1", y);
}

std::string
basic_block(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride) {
  auto y = net.conv(block + ".conv1", x, {.channels = channels, .kernel = 3, .stride = stride, .padding = 1});
  y = net.relu(block + ".relu1", net.batch_norm(block + ".bn1", y));
  y = net.conv(block + ".conv2", y, {.channels = channels, .kernel = 3, .padding = 1});
  y = net.batch_norm(block + ".bn2", y);
  y = net.add(block + ".add", y, shortcut(net, block, x, channels, stride));
  return net.relu(block + ".relu2", y);
}

template <int Depth>
class ResNetCifar final : public Model {
public:
  void declare(Settings& settings) override {
    settings.optional("classes", classes_, "number of classes", at_least(1));
  }

  Graph build(uint64_t seed) const override {
    Builder net("resnet" + std::to_string(Depth) + "_cifar", {3, 32, 32}, seed, Init::kaiming);
    auto x = net.conv("conv1", net.input(), {.channels = 16, .kernel = 3, .padding = 1});
    x = net.relu("relu", net.batch_norm("bn1", x));
    for (int stage = 0; stage < 3; ++stage)
      for (int block = 0; block < (Depth - 2) / 6; ++block)
        x = basic_block(net, "layer" + std::to_string(stage + 1) + "." + std::to_string(block), x, int64_t{16} << stage,
                        stage > 0 && block == 0 ? 2 : 1);
    x = net.flatten("flatten", net.global_average_pool("avgpool", x));
    return net.finish(net.linear("fc", x, classes_));
  }

private:
  int64_t classes_ = 10;
};

}  // namespace

extern const Family resnet_cifar;
const Family resnet_cifar{
    {{"resnet20_cifar", "residual network of 20 layers for 32x32 images", make_component<Model, ResNetCifar<20>>},
     {"resnet56_cifar", "residual network of 56 layers for 32x32 images", make_component<Model, ResNetCifar<56>>}}};

}  // namespace compress::models
