// MobileNet (Howard et al. 2017): depthwise and pointwise convolutions in turn; with Distiller's parameter names.
#include "builder.h"

#include <array>

namespace compress::models {

namespace {

struct SeparableLayer {
  int64_t channels, stride;
};
constexpr std::array<SeparableLayer, 13> kSeparable{{{64, 1},
                                                     {128, 2},
                                                     {128, 1},
                                                     {256, 2},
                                                     {256, 1},
                                                     {512, 2},
                                                     {512, 1},
                                                     {512, 1},
                                                     {512, 1},
                                                     {512, 1},
                                                     {512, 1},
                                                     {1024, 2},
                                                     {1024, 1}}};

class MobileNetV1 final : public ImageModel {
public:
  MobileNetV1() : ImageModel(1000, 224) {}

  void declare(Settings& settings) override {
    ImageModel::declare(settings);
    settings.optional("width", width_, "factor of all channels, at least 8 of which stay", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net(image(), seed);
    auto x = net.conv("model.0.0", net.input(), {.channels = scaled(32), .kernel = 3, .stride = 2, .padding = 1});
    x = net.relu("model.0.2", net.batch_norm("model.0.1", x));
    for (size_t i = 0; i < kSeparable.size(); ++i)
      x = separable(net, "model." + std::to_string(i + 1), x, kSeparable[i]);
    x = net.flatten("flatten", net.global_average_pool("model.14", x));
    return net.finish(net.linear("fc", x, classes_));
  }

private:
  int64_t scaled(int64_t channels) const {
    return std::max<int64_t>(8, static_cast<int64_t>(static_cast<double>(channels) * width_));
  }

  std::string
  separable(Builder& net, const std::string& name, const std::string& x, const SeparableLayer& layer) const {
    const auto in = net.channels(x);
    auto y =
        net.conv(name + ".0", x, {.channels = in, .kernel = 3, .stride = layer.stride, .padding = 1, .groups = in});
    y = net.relu(name + ".2", net.batch_norm(name + ".1", y));
    y = net.conv(name + ".3", y, {.channels = scaled(layer.channels), .kernel = 1});
    return net.relu(name + ".5", net.batch_norm(name + ".4", y));
  }

  double width_ = 1;
};

}  // namespace

extern const Family mobilenet_v1;
const Family mobilenet_v1{{{"mobilenet_v1", "MobileNet: depthwise separable convolutions", make_model<MobileNetV1>},
                           {"mobilenet", "mobilenet_v1 under Distiller's name", make_model<MobileNetV1>}}};

}  // namespace compress::models
