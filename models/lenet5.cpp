// LeNet-5 as it is used for compression benchmarks: 20 and 50 filters of 5x5, 500 hidden units, 431,080 parameters
// (Han et al. 2015; the "caffe" variant of LeCun et al. 1998).
#include "builder.h"

namespace compress::models {

namespace {

class LeNet5 final : public Model {
public:
  void declare(Settings& settings) override {
    settings.optional("classes", classes_, "number of classes", kClasses);
    settings.optional("channels", channels_, "channels of the 28x28 input images", in(1, 1024));
  }

  Graph build(Seed seed) const override {
    Builder net({channels_, 28, 28}, seed);
    auto x = net.conv("conv1", net.input(), {.channels = 20, .kernel = 5, .bias = true});
    x = net.relu("relu1", x);
    x = net.max_pool("pool1", x, {.kernel = 2, .stride = 2});
    x = net.conv("conv2", x, {.channels = 50, .kernel = 5, .bias = true});
    x = net.relu("relu2", x);
    x = net.max_pool("pool2", x, {.kernel = 2, .stride = 2});
    x = net.flatten("flatten", x);
    x = net.linear("fc1", x, 500);
    x = net.relu("relu3", x);
    return net.finish(net.linear("fc2", x, classes_));
  }

private:
  int64_t classes_ = 10;
  int64_t channels_ = 1;
};

}  // namespace

extern const Family lenet5;
const Family lenet5{{{"lenet5", "LeNet-5 (20-50-500) for 28x28 images, 431,080 parameters", make_model<LeNet5>}}};

}  // namespace compress::models
