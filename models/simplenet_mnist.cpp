// Distiller's small MNIST network: the layers of LeNet-5 (20-50-500) under Distiller's names.
#include "builder.h"

namespace compress::models {

namespace {

class SimpleNetMnist final : public Model {
public:
  void declare(Settings& settings) override { settings.optional("classes", classes_, "number of classes", kClasses); }

  Graph build(Seed seed) const override {
    Builder net({1, 28, 28}, seed);
    auto x = net.conv("conv1", net.input(), {.channels = 20, .kernel = 5, .bias = true});
    x = net.max_pool("pool1", net.relu("relu1", x), {.kernel = 2, .stride = 2});
    x = net.conv("conv2", x, {.channels = 50, .kernel = 5, .bias = true});
    x = net.max_pool("pool2", net.relu("relu2", x), {.kernel = 2, .stride = 2});
    x = net.relu("relu3", net.linear("fc1", net.flatten("flatten", x), 500));
    return net.finish(net.linear("fc2", x, classes_));
  }

private:
  int64_t classes_ = 10;
};

}  // namespace

extern const Family simplenet_mnist;
const Family simplenet_mnist{
    {{"simplenet_mnist", "two convolutions and two linear layers for 28x28 images", make_model<SimpleNetMnist>}}};

}  // namespace compress::models
