// AlexNet (Krizhevsky 2014, "one weird trick") with torchvision's parameter names, and the form with batch-norm, two
// groups and no dropout (DoReFa-Net's) with Distiller's.
#include "builder.h"

namespace compress::models {

namespace {

class AlexNet final : public ImageModel {
public:
  AlexNet() : ImageModel(1000, 224) {}

  void declare(Settings& settings) override {
    ImageModel::declare(settings);
    settings.optional("width", width_, "factor of the channels of all hidden layers", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net(image(), seed);
    auto x = net.adaptive_average_pool("avgpool", features(net), 6);
    x = net.dropout("classifier.0", net.flatten("flatten", x), 0.5);
    x = net.relu("classifier.2", net.linear("classifier.1", x, scaled(4096, width_)));
    x = net.dropout("classifier.3", x, 0.5);
    x = net.relu("classifier.5", net.linear("classifier.4", x, scaled(4096, width_)));
    return net.finish(net.linear("classifier.6", x, classes_));
  }

private:
  std::string features(Builder& net) const {
    constexpr PoolOptions kPool{.kernel = 3, .stride = 2};
    auto x = net.conv("features.0", net.input(),
                      {.channels = scaled(64, width_), .kernel = 11, .stride = 4, .padding = 2, .bias = true});
    x = net.max_pool("features.2", net.relu("features.1", x), kPool);
    x = net.conv("features.3", x, {.channels = scaled(192, width_), .kernel = 5, .padding = 2, .bias = true});
    x = net.max_pool("features.5", net.relu("features.4", x), kPool);
    x = net.conv("features.6", x, {.channels = scaled(384, width_), .kernel = 3, .padding = 1, .bias = true});
    x = net.relu("features.7", x);
    x = net.conv("features.8", x, {.channels = scaled(256, width_), .kernel = 3, .padding = 1, .bias = true});
    x = net.relu("features.9", x);
    x = net.conv("features.10", x, {.channels = scaled(256, width_), .kernel = 3, .padding = 1, .bias = true});
    return net.max_pool("features.12", net.relu("features.11", x), kPool);
  }

  double width_ = 1;
};

/// Its linear layers have fixed inputs, hence one resolution.
class AlexNetBn final : public Model {
public:
  void declare(Settings& settings) override {
    settings.optional("classes", classes_, "number of classes", kClasses);
    settings.optional("width", width_, "factor of the channels of all hidden layers", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net({3, 224, 224}, seed, {.conv = kFanInStart, .linear = kFanInStart, .epsilon = 1e-4, .momentum = 0.9});
    auto x = net.flatten("flatten", features(net));
    x = net.relu("classifier.2",
                 net.batch_norm("classifier.1", net.linear("classifier.0", x, scaled(4096, width_), false)));
    x = net.relu("classifier.5",
                 net.batch_norm("classifier.4", net.linear("classifier.3", x, scaled(4096, width_), false)));
    return net.finish(net.linear("classifier.6", x, classes_));
  }

private:
  /// Channels of two groups.
  int64_t even(int64_t channels) const { return 2 * scaled(channels / 2, width_); }

  std::string features(Builder& net) const {
    auto x = net.conv("features.0", net.input(), {.channels = even(96), .kernel = 12, .stride = 4, .bias = true});
    x = net.relu("features.1", x);
    x = net.conv("features.2", x, {.channels = even(256), .kernel = 5, .padding = 2, .groups = 2});
    x = net.max_pool("features.4", net.batch_norm("features.3", x), {.kernel = 3, .stride = 2, .ceil = true});
    x = net.relu("features.5", x);
    x = net.conv("features.6", x, {.channels = even(384), .kernel = 3, .padding = 1});
    x = net.max_pool("features.8", net.batch_norm("features.7", x), {.kernel = 3, .stride = 2, .padding = 1});
    x = net.relu("features.9", x);
    x = net.conv("features.10", x, {.channels = even(384), .kernel = 3, .padding = 1, .groups = 2});
    x = net.relu("features.12", net.batch_norm("features.11", x));
    x = net.conv("features.13", x, {.channels = even(256), .kernel = 3, .padding = 1, .groups = 2});
    x = net.max_pool("features.15", net.batch_norm("features.14", x), {.kernel = 3, .stride = 2});
    return net.relu("features.16", x);
  }

  int64_t classes_ = 1000;
  double width_ = 1;
};

}  // namespace

extern const Family alexnet;
const Family alexnet{{{"alexnet", "AlexNet as torchvision has it", make_model<AlexNet>},
                      {"alexnet_bn", "AlexNet with batch-norm and two groups", make_model<AlexNetBn>}}};

}  // namespace compress::models
