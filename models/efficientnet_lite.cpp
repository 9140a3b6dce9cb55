// EfficientNet-Lite0: EfficientNet-B0 (Tan and Le 2019) without squeeze-and-excitation and with ReLU6, for integer
// hardware; with timm's parameter names and paddings.
#include "builder.h"

#include <array>

namespace compress::models {

namespace {

struct LiteStage {
  int64_t blocks, kernel, stride, expansion, channels;
};
constexpr std::array<LiteStage, 7> kLite0{{{1, 3, 1, 1, 16},
                                           {2, 3, 2, 6, 24},
                                           {2, 5, 2, 6, 40},
                                           {3, 3, 2, 6, 80},
                                           {3, 5, 1, 6, 112},
                                           {4, 5, 2, 6, 192},
                                           {1, 3, 1, 6, 320}}};
constexpr Style kLiteStyle{
    .conv = {.draw = Start::Draw::normal, .fan = Start::Fan::group_out, .factor = 2},
    .linear = {.fan = Start::Fan::out},
};

class EfficientNetLite0 final : public ImageModel {
public:
  EfficientNetLite0() : ImageModel(1000, 224) {}

  Graph build(Seed seed) const override {
    Builder net(image(), seed, kLiteStyle);
    auto x = net.conv("conv_stem", net.input(), {.channels = 32, .kernel = 3, .stride = 2, .padding = 1});
    x = net.relu6("act1", net.batch_norm("bn1", x));
    for (size_t i = 0; i < kLite0.size(); ++i)
      for (int64_t block = 0; block < kLite0[i].blocks; ++block)
        x = inverted(net, "blocks." + std::to_string(i) + "." + std::to_string(block), x, kLite0[i],
                     block == 0 ? kLite0[i].stride : 1);
    x = net.conv("conv_head", x, {.channels = 1280, .kernel = 1});
    x = net.relu6("act2", net.batch_norm("bn2", x));
    x = net.flatten("flatten", net.global_average_pool("global_pool", x));
    return net.finish(net.linear("classifier", x, classes_));
  }

private:
  /// The first stage, which does not expand, has two convolutions, all others three; timm numbers the batch-norms
  /// through.
  static std::string
  inverted(Builder& net, const std::string& block, const std::string& x, const LiteStage& stage, int64_t stride) {
    const auto in = net.channels(x), hidden = in * stage.expansion;
    const bool expands = stage.expansion > 1;
    int index = 1;
    const auto norm = [&](const std::string& y) { return net.batch_norm(block + ".bn" + std::to_string(index++), y); };
    auto y = x;
    if (expands)
      y = net.relu6(block + ".act1", norm(net.conv(block + ".conv_pw", y, {.channels = hidden, .kernel = 1})));
    y = norm(net.conv(
        block + ".conv_dw", y,
        {.channels = hidden, .kernel = stage.kernel, .stride = stride, .padding = stage.kernel / 2, .groups = hidden}));
    y = net.relu6(block + (expands ? ".act2" : ".act1"), y);
    y = norm(net.conv(block + (expands ? ".conv_pwl" : ".conv_pw"), y, {.channels = stage.channels, .kernel = 1}));
    return stride == 1 && in == stage.channels ? net.add(block + ".add", y, x) : y;
  }
};

}  // namespace

extern const Family efficientnet_lite;
const Family efficientnet_lite{
    {{"efficientnet_lite0", "EfficientNet-Lite0: B0 for integer hardware", make_model<EfficientNetLite0>}}};

}  // namespace compress::models
