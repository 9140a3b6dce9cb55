// VGG (Simonyan and Zisserman 2014): five stages of 3x3 convolutions, each followed by pooling; with torchvision's
// parameter names, and Distiller's for the CIFAR form, whose classifier is one linear layer.
#include "builder.h"

#include <array>

namespace compress::models {

namespace {

struct VggForm {
  std::array<int, 5> layers;  ///< convolutions of each stage
  bool batch_norm = false;
};
constexpr std::array<int, 5> kVgg11{1, 1, 2, 2, 2}, kVgg13{2, 2, 2, 2, 2}, kVgg16{2, 2, 3, 3, 3}, kVgg19{2, 2, 4, 4, 4};
constexpr Style kVggStyle{.conv = kFanOutStart, .linear = kSmallStart};

std::string vgg_features(Builder& net, const VggForm& form, double width) {
  constexpr std::array<int64_t, 5> kChannels{64, 128, 256, 512, 512};
  int index = 0;
  const auto name = [&] { return "features." + std::to_string(index++); };
  auto x = net.input();
  for (size_t stage = 0; stage < kChannels.size(); ++stage) {
    for (int layer = 0; layer < form.layers[stage]; ++layer) {
      x = net.conv(name(), x, {.channels = scaled(kChannels[stage], width), .kernel = 3, .padding = 1, .bias = true});
      if (form.batch_norm) x = net.batch_norm(name(), x);
      x = net.relu(name(), x);
    }
    x = net.max_pool(name(), x, {.kernel = 2, .stride = 2});
  }
  return x;
}

class Vgg final : public ImageModel {
public:
  explicit Vgg(VggForm form) : ImageModel(1000, 224), form_(form) {}

  void declare(Settings& settings) override {
    ImageModel::declare(settings);
    settings.optional("width", width_, "factor of the channels of all hidden layers", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net(image(), seed, kVggStyle);
    auto x = net.adaptive_average_pool("avgpool", vgg_features(net, form_, width_), 7);
    x = net.flatten("flatten", x);
    const auto hidden = scaled(4096, width_);
    x = net.dropout("classifier.2", net.relu("classifier.1", net.linear("classifier.0", x, hidden)), 0.5);
    x = net.dropout("classifier.5", net.relu("classifier.4", net.linear("classifier.3", x, hidden)), 0.5);
    return net.finish(net.linear("classifier.6", x, classes_));
  }

private:
  VggForm form_;
  double width_ = 1;
};

class VggCifar final : public Model {
public:
  explicit VggCifar(VggForm form) : form_(form) {}

  void declare(Settings& settings) override {
    settings.optional("classes", classes_, "number of classes", kClasses);
    settings.optional("width", width_, "factor of the channels of all hidden layers", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net({3, 32, 32}, seed, kVggStyle);
    const auto x = net.flatten("flatten", vgg_features(net, form_, width_));
    return net.finish(net.linear("classifier", x, classes_));
  }

private:
  VggForm form_;
  int64_t classes_ = 10;
  double width_ = 1;
};

}  // namespace

extern const Family vgg;
const Family vgg{
    {{"vgg11", "VGG of 11 layers", make_model<Vgg, VggForm{kVgg11}>},
     {"vgg13", "VGG of 13 layers", make_model<Vgg, VggForm{kVgg13}>},
     {"vgg16", "VGG of 16 layers", make_model<Vgg, VggForm{kVgg16}>},
     {"vgg19", "VGG of 19 layers", make_model<Vgg, VggForm{kVgg19}>},
     {"vgg11_bn", "VGG of 11 layers with batch-norm", make_model<Vgg, VggForm{kVgg11, true}>},
     {"vgg13_bn", "VGG of 13 layers with batch-norm", make_model<Vgg, VggForm{kVgg13, true}>},
     {"vgg16_bn", "VGG of 16 layers with batch-norm", make_model<Vgg, VggForm{kVgg16, true}>},
     {"vgg19_bn", "VGG of 19 layers with batch-norm", make_model<Vgg, VggForm{kVgg19, true}>},
     {"vgg16_cifar", "VGG of 16 layers for 32x32 images, one linear layer", make_model<VggCifar, VggForm{kVgg16}>},
     {"vgg19_cifar", "VGG of 19 layers for 32x32 images, one linear layer", make_model<VggCifar, VggForm{kVgg19}>}}};

}  // namespace compress::models
