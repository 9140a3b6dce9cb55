// Distiller's small CIFAR network: two 5x5 convolutions and three linear layers, no batch-norm.
#include "builder.h"

namespace compress::models {

namespace {

class SimpleNetCifar final : public Model {
public:
  void declare(Settings& settings) override { settings.optional("classes", classes_, "number of classes", kClasses); }

  Graph build(Seed seed) const override {
    Builder net({3, 32, 32}, seed);
    auto x = net.conv("conv1", net.input(), {.channels = 6, .kernel = 5, .bias = true});
    x = net.max_pool("pool1", net.relu("relu_conv1", x), {.kernel = 2, .stride = 2});
    x = net.conv("conv2", x, {.channels = 16, .kernel = 5, .bias = true});
    x = net.max_pool("pool2", net.relu("relu_conv2", x), {.kernel = 2, .stride = 2});
    x = net.flatten("flatten", x);
    x = net.relu("relu_fc1", net.linear("fc1", x, 120));
    x = net.relu("relu_fc2", net.linear("fc2", x, 84));
    return net.finish(net.linear("fc3", x, classes_));
  }

private:
  int64_t classes_ = 10;
};

}  // namespace

extern const Family simplenet_cifar;
const Family simplenet_cifar{
    {{"simplenet_cifar", "two convolutions and three linear layers for 32x32 images", make_model<SimpleNetCifar>}}};

}  // namespace compress::models
