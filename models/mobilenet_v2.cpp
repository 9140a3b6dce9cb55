// MobileNetV2 (Sandler et al. 2018): inverted residuals with linear bottlenecks; with torchvision's parameter names.
// For images of at most 64x64 the stem and the first stride keep the size, as is common for CIFAR, so that 32x32 images
// end as 4x4 maps instead of single values.
#include "builder.h"

#include <array>

namespace compress::models {

namespace {

/// One line of the paper's table 2.
struct InvertedStage {
  int64_t expansion, channels, blocks, stride;
};
constexpr std::array<InvertedStage, 7> kInverted{
    {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};
constexpr int64_t kSmallImage = 64;

class MobileNetV2 final : public ImageModel {
public:
  MobileNetV2() : ImageModel(1000, 224) {}

  void declare(Settings& settings) override {
    ImageModel::declare(settings);
    settings.optional("width", width_, "factor of all channels, rounded to multiples of 8", kWidths);
  }

  Graph build(Seed seed) const override {
    Builder net(image(), seed, {.conv = kFanOutStart, .linear = kSmallStart});
    const bool small = resolution_ <= kSmallImage;
    auto x = layer(net, "features.0", net.input(),
                   {.channels = divisible(32 * width_), .kernel = 3, .stride = small ? 1 : 2, .padding = 1});
    int index = 1;
    for (const auto& stage : kInverted)
      for (int64_t block = 0; block < stage.blocks; ++block) {
        const bool halves = block == 0 && stage.stride == 2 && !(small && stage.channels == 24);
        x = inverted(net, "features." + std::to_string(index++) + ".conv", x, stage, halves ? 2 : 1);
      }
    x = layer(net, "features.18", x, {.channels = divisible(1280 * std::max(1.0, width_)), .kernel = 1});
    x = net.flatten("flatten", net.global_average_pool("avgpool", x));
    return net.finish(net.linear("classifier.1", net.dropout("classifier.0", x, 0.2), classes_));
  }

private:
  static std::string layer(Builder& net, const std::string& name, const std::string& x, const ConvOptions& options) {
    const auto y = net.conv(name + ".0", x, options);
    return net.relu6(name + ".2", net.batch_norm(name + ".1", y));
  }

  std::string inverted(
      Builder& net, const std::string& name, const std::string& x, const InvertedStage& stage, int64_t stride) const {
    const auto in = net.channels(x), hidden = in * stage.expansion,
               out = divisible(static_cast<double>(stage.channels) * width_);
    int index = 0;
    const auto next = [&] { return name + "." + std::to_string(index++); };
    auto y = stage.expansion == 1 ? x : layer(net, next(), x, {.channels = hidden, .kernel = 1});
    y = layer(net, next(), y, {.channels = hidden, .kernel = 3, .stride = stride, .padding = 1, .groups = hidden});
    y = net.conv(next(), y, {.channels = out, .kernel = 1});
    y = net.batch_norm(next(), y);
    return stride == 1 && in == out ? net.add(name + ".add", x, y) : y;
  }

  double width_ = 1;
};

}  // namespace

extern const Family mobilenet_v2;
const Family mobilenet_v2{
    {{"mobilenet_v2", "MobileNetV2: inverted residuals, also for small images", make_model<MobileNetV2>}}};

}  // namespace compress::models
