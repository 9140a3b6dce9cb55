// MobileNetV3 small (Howard et al. 2019): inverted residuals with squeeze-and-excitation and hard activations; with
// torchvision's parameter names.
#include "builder.h"

#include <array>

namespace compress::models {

namespace {

/// One line of the paper's table 2.
struct MobileNetV3Block {
  int64_t kernel, expanded, channels;
  bool excite, hard_swish;
  int64_t stride;
};
constexpr std::array<MobileNetV3Block, 11> kV3Small{{{3, 16, 16, true, false, 2},
                                                     {3, 72, 24, false, false, 2},
                                                     {3, 88, 24, false, false, 1},
                                                     {5, 96, 40, true, true, 2},
                                                     {5, 240, 40, true, true, 1},
                                                     {5, 240, 40, true, true, 1},
                                                     {5, 120, 48, true, true, 1},
                                                     {5, 144, 48, true, true, 1},
                                                     {5, 288, 96, true, true, 2},
                                                     {5, 576, 96, true, true, 1},
                                                     {5, 576, 96, true, true, 1}}};

class MobileNetV3Small final : public ImageModel {
public:
  MobileNetV3Small() : ImageModel(1000, 224) {}

  void declare(Settings& settings) override {
    ImageModel::declare(settings);
    settings.optional("width", width_, "factor of all channels, rounded to multiples of 8", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net(image(), seed, {.conv = kFanOutStart, .linear = kSmallStart, .epsilon = 1e-3, .momentum = 0.01});
    auto x =
        layer(net, "features.0", net.input(), {.channels = scaled(16), .kernel = 3, .stride = 2, .padding = 1}, true);
    for (size_t i = 0; i < kV3Small.size(); ++i)
      x = inverted(net, "features." + std::to_string(i + 1) + ".block", x, kV3Small[i]);
    x = layer(net, "features.12", x, {.channels = 6 * net.channels(x), .kernel = 1}, true);
    x = net.flatten("flatten", net.global_average_pool("avgpool", x));
    x = net.hard_swish("classifier.1", net.linear("classifier.0", x, scaled(1024)));
    return net.finish(net.linear("classifier.3", net.dropout("classifier.2", x, 0.2), classes_));
  }

private:
  int64_t scaled(int64_t channels) const { return divisible(static_cast<double>(channels) * width_); }

  static std::string
  layer(Builder& net, const std::string& name, const std::string& x, const ConvOptions& options, bool hard_swish) {
    const auto y = net.batch_norm(name + ".1", net.conv(name + ".0", x, options));
    return hard_swish ? net.hard_swish(name + ".2", y) : net.relu(name + ".2", y);
  }

  static std::string excitation(Builder& net, const std::string& name, const std::string& x) {
    const auto channels = net.channels(x), squeezed = divisible(static_cast<double>(channels) / 4);
    auto y = net.global_average_pool(name + ".avgpool", x);
    y = net.relu(name + ".activation", net.conv(name + ".fc1", y, {.channels = squeezed, .kernel = 1, .bias = true}));
    y = net.conv(name + ".fc2", y, {.channels = channels, .kernel = 1, .bias = true});
    return net.multiply(name + ".mul", x, net.hard_sigmoid(name + ".scale_activation", y));
  }

  std::string
  inverted(Builder& net, const std::string& name, const std::string& x, const MobileNetV3Block& block) const {
    const auto in = net.channels(x), hidden = scaled(block.expanded), out = scaled(block.channels);
    int index = 0;
    const auto next = [&] { return name + "." + std::to_string(index++); };
    auto y = hidden == in ? x : layer(net, next(), x, {.channels = hidden, .kernel = 1}, block.hard_swish);
    y = layer(net, next(), y,
              {.channels = hidden,
               .kernel = block.kernel,
               .stride = block.stride,
               .padding = block.kernel / 2,
               .groups = hidden},
              block.hard_swish);
    if (block.excite) y = excitation(net, next(), y);
    const auto projection = next();
    y = net.batch_norm(projection + ".1", net.conv(projection + ".0", y, {.channels = out, .kernel = 1}));
    return block.stride == 1 && in == out ? net.add(name + ".add", x, y) : y;
  }

  double width_ = 1;
};

}  // namespace

extern const Family mobilenet_v3;
const Family mobilenet_v3{{{"mobilenet_v3_small", "MobileNetV3 small: squeeze-and-excitation, hard activations",
                            make_model<MobileNetV3Small>}}};

}  // namespace compress::models
