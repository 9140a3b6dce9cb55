// The residual networks' counterpart without shortcuts (He et al. 2015), for 32x32 images, with Distiller's parameter
// names.
#include "residual_blocks.h"

namespace compress::models {

namespace {

class PlainCifar final : public Model {
public:
  explicit PlainCifar(int depth) : depth_(depth) {}

  void declare(Settings& settings) override { settings.optional("classes", classes_, "number of classes", kClasses); }

  Graph build(Seed seed) const override {
    Builder net({3, 32, 32}, seed, {.conv = kFanOutStart});
    auto x = net.conv("conv1", net.input(), {.channels = 16, .kernel = 3, .padding = 1});
    x = net.relu("relu", net.batch_norm("bn1", x));
    for (int stage = 0; stage < 3; ++stage)
      for (int block = 0; block < (depth_ - 2) / 6; ++block)
        x = two_layers(net, "layer" + std::to_string(stage + 1) + "." + std::to_string(block), x, int64_t{16} << stage,
                       stage > 0 && block == 0 ? 2 : 1);
    return net.finish(average_and_classify(net, x, classes_));
  }

private:
  static std::string
  two_layers(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride) {
    auto y = net.conv(block + ".conv1", x, {.channels = channels, .kernel = 3, .stride = stride, .padding = 1});
    y = net.relu(block + ".relu1", net.batch_norm(block + ".bn1", y));
    y = net.conv(block + ".conv2", y, {.channels = channels, .kernel = 3, .padding = 1});
    return net.relu(block + ".relu2", net.batch_norm(block + ".bn2", y));
  }

  int depth_;
  int64_t classes_ = 10;
};

}  // namespace

extern const Family plain_cifar;
const Family plain_cifar{
    {{"plain20_cifar", "network of 20 layers without shortcuts for 32x32 images", make_model<PlainCifar, 20>}}};

}  // namespace compress::models
