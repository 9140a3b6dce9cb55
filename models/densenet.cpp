// DenseNet (Huang et al. 2016): each layer reads the outputs of all layers before it in its block; with torchvision's
// parameter names.
#include "builder.h"

#include <array>

namespace compress::models {

namespace {

class DenseNet121 final : public ImageModel {
public:
  DenseNet121() : ImageModel(1000, 224) {}

  Graph build(Seed seed) const override {
    Builder net(image(), seed, {.conv = kFanInStart, .linear = {.draw_bias = false}});
    constexpr std::array<int, 4> kLayers{6, 12, 24, 16};
    auto x = net.conv("features.conv0", net.input(), {.channels = 64, .kernel = 7, .stride = 2, .padding = 3});
    x = net.relu("features.relu0", net.batch_norm("features.norm0", x));
    x = net.max_pool("features.pool0", x, {.kernel = 3, .stride = 2, .padding = 1});
    for (size_t i = 0; i < kLayers.size(); ++i) {
      x = block(net, "features.denseblock" + std::to_string(i + 1), x, kLayers[i]);
      if (i + 1 < kLayers.size()) x = transition(net, "features.transition" + std::to_string(i + 1), x);
    }
    x = net.relu("relu", net.batch_norm("features.norm5", x));
    x = net.flatten("flatten", net.global_average_pool("avgpool", x));
    return net.finish(net.linear("classifier", x, classes_));
  }

private:
  static std::string block(Builder& net, const std::string& name, std::string x, int layers) {
    constexpr int64_t kGrowth = 32, kBottleneck = 4 * kGrowth;
    for (int i = 1; i <= layers; ++i) {
      const auto layer = name + ".denselayer" + std::to_string(i);
      auto y = net.relu(layer + ".relu1", net.batch_norm(layer + ".norm1", x));
      y = net.conv(layer + ".conv1", y, {.channels = kBottleneck, .kernel = 1});
      y = net.relu(layer + ".relu2", net.batch_norm(layer + ".norm2", y));
      y = net.conv(layer + ".conv2", y, {.channels = kGrowth, .kernel = 3, .padding = 1});
      x = net.concat(layer + ".concat", {x, y});
    }
    return x;
  }

  static std::string transition(Builder& net, const std::string& name, const std::string& x) {
    auto y = net.relu(name + ".relu", net.batch_norm(name + ".norm", x));
    y = net.conv(name + ".conv", y, {.channels = net.channels(x) / 2, .kernel = 1});
    return net.average_pool(name + ".pool", y, {.kernel = 2, .stride = 2});
  }
};

}  // namespace

extern const Family densenet;
const Family densenet{{{"densenet121", "DenseNet of 121 layers", make_model<DenseNet121>}}};

}  // namespace compress::models
