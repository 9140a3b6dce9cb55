// SqueezeNet (Iandola et al. 2016): fire modules, which squeeze to few channels and expand by 1x1 and 3x3 convolutions;
// with torchvision's parameter names.
#include "builder.h"

#include <array>

namespace compress::models {

namespace {

struct SqueezeNetForm {
  int64_t channels, kernel;    ///< of the first convolution
  std::array<bool, 8> pooled;  ///< which fire modules are preceded by pooling
};

class SqueezeNet final : public ImageModel {
public:
  explicit SqueezeNet(SqueezeNetForm form) : ImageModel(1000, 224), form_(form) {}

  Graph build(Seed seed) const override {
    // Uniform with the variance 2 / fan_in.
    Builder net(image(), seed, {.conv = {.factor = 6}});
    constexpr std::array<int64_t, 8> kSqueezed{16, 16, 32, 32, 48, 48, 64, 64};
    auto x = net.conv("features.0", net.input(),
                      {.channels = form_.channels, .kernel = form_.kernel, .stride = 2, .bias = true});
    x = net.relu("features.1", x);
    int index = 2;
    const auto name = [&] { return "features." + std::to_string(index++); };
    for (size_t i = 0; i < kSqueezed.size(); ++i) {
      if (form_.pooled[i]) x = net.max_pool(name(), x, {.kernel = 3, .stride = 2, .ceil = true});
      x = fire(net, name(), x, kSqueezed[i]);
    }
    x = net.dropout("classifier.0", x, 0.5);
    x = net.conv("classifier.1", x, {.channels = classes_, .kernel = 1, .bias = true, .start = kSmallStart});
    x = net.global_average_pool("classifier.3", net.relu("classifier.2", x));
    return net.finish(net.flatten("flatten", x));
  }

private:
  static std::string fire(Builder& net, const std::string& name, const std::string& x, int64_t squeezed) {
    auto y = net.conv(name + ".squeeze", x, {.channels = squeezed, .kernel = 1, .bias = true});
    y = net.relu(name + ".squeeze_activation", y);
    const auto small = net.conv(name + ".expand1x1", y, {.channels = 4 * squeezed, .kernel = 1, .bias = true});
    const auto large =
        net.conv(name + ".expand3x3", y, {.channels = 4 * squeezed, .kernel = 3, .padding = 1, .bias = true});
    return net.concat(name + ".concat", {net.relu(name + ".expand1x1_activation", small),
                                         net.relu(name + ".expand3x3_activation", large)});
  }

  SqueezeNetForm form_;
};

constexpr SqueezeNetForm kVersion0{96, 7, {true, false, false, true, false, false, false, true}};
constexpr SqueezeNetForm kVersion1{64, 3, {true, false, true, false, true, false, false, false}};

}  // namespace

extern const Family squeezenet;
const Family squeezenet{{{"squeezenet1_0", "SqueezeNet 1.0", make_model<SqueezeNet, kVersion0>},
                         {"squeezenet1_1", "SqueezeNet 1.1, as good at less cost", make_model<SqueezeNet, kVersion1>}}};

}  // namespace compress::models
