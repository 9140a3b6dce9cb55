// GoogLeNet (Szegedy et al. 2014) as torchvision has it: with batch-norm, and 3x3 convolutions where the paper says
// 5x5. The two auxiliary classifiers of training are further outputs, on demand.
#include "builder.h"

#include <array>

namespace compress::models {

namespace {

struct InceptionModule {
  std::string_view name;
  int64_t ones, reduce3, threes, reduce5, fives, pooled;
};
constexpr std::array<InceptionModule, 9> kInception{{{"inception3a", 64, 96, 128, 16, 32, 32},
                                                     {"inception3b", 128, 128, 192, 32, 96, 64},
                                                     {"inception4a", 192, 96, 208, 16, 48, 64},
                                                     {"inception4b", 160, 112, 224, 24, 64, 64},
                                                     {"inception4c", 128, 128, 256, 24, 64, 64},
                                                     {"inception4d", 112, 144, 288, 32, 64, 64},
                                                     {"inception4e", 256, 160, 320, 32, 128, 128},
                                                     {"inception5a", 256, 160, 320, 32, 128, 128},
                                                     {"inception5b", 384, 192, 384, 48, 128, 128}}};

class GoogLeNet final : public ImageModel {
public:
  GoogLeNet() : ImageModel(1000, 224) {}

  void declare(Settings& settings) override {
    ImageModel::declare(settings);
    settings.optional("aux", aux_, "with the auxiliary classifiers, as outputs aux1 and aux2");
  }

  Graph build(Seed seed) const override {
    Builder net(image(), seed, {.conv = kSmallStart, .linear = kSmallStart, .epsilon = 1e-3});
    constexpr PoolOptions kHalve{.kernel = 3, .stride = 2, .ceil = true};
    auto x = layer(net, "conv1", net.input(), {.channels = 64, .kernel = 7, .stride = 2, .padding = 3});
    x = layer(net, "conv2", net.max_pool("maxpool1", x, kHalve), {.channels = 64, .kernel = 1});
    x = net.max_pool("maxpool2", layer(net, "conv3", x, {.channels = 192, .kernel = 3, .padding = 1}), kHalve);
    std::vector<std::string> outputs;
    for (const auto& module : kInception) {
      if (module.name == "inception4a") x = net.max_pool("maxpool3", x, kHalve);
      if (module.name == "inception5a") x = net.max_pool("maxpool4", x, {.kernel = 2, .stride = 2, .ceil = true});
      x = inception(net, module, x);
      if (aux_ && module.name == "inception4a") outputs.push_back(auxiliary(net, "aux1", x));
      if (aux_ && module.name == "inception4d") outputs.push_back(auxiliary(net, "aux2", x));
    }
    x = net.dropout("dropout", net.flatten("flatten", net.global_average_pool("avgpool", x)), 0.2);
    net.output(net.linear("fc", x, classes_));
    for (size_t i = 0; i < outputs.size(); ++i) net.output(outputs[i], "aux" + std::to_string(i + 1));
    return net.finish();
  }

private:
  static std::string layer(Builder& net, const std::string& name, const std::string& x, const ConvOptions& options) {
    return net.relu(name + ".relu", net.batch_norm(name + ".bn", net.conv(name + ".conv", x, options)));
  }

  static std::string inception(Builder& net, const InceptionModule& module, const std::string& x) {
    const std::string name(module.name);
    const auto one = layer(net, name + ".branch1", x, {.channels = module.ones, .kernel = 1});
    auto three = layer(net, name + ".branch2.0", x, {.channels = module.reduce3, .kernel = 1});
    three = layer(net, name + ".branch2.1", three, {.channels = module.threes, .kernel = 3, .padding = 1});
    auto five = layer(net, name + ".branch3.0", x, {.channels = module.reduce5, .kernel = 1});
    five = layer(net, name + ".branch3.1", five, {.channels = module.fives, .kernel = 3, .padding = 1});
    auto pooled = net.max_pool(name + ".branch4.0", x, {.kernel = 3, .stride = 1, .padding = 1, .ceil = true});
    pooled = layer(net, name + ".branch4.1", pooled, {.channels = module.pooled, .kernel = 1});
    return net.concat(name + ".concat", {one, three, five, pooled});
  }

  std::string auxiliary(Builder& net, const std::string& name, const std::string& x) const {
    auto y = net.adaptive_average_pool(name + ".avgpool", x, 4);
    y = net.flatten(name + ".flatten", layer(net, name + ".conv", y, {.channels = 128, .kernel = 1}));
    y = net.relu(name + ".relu", net.linear(name + ".fc1", y, 1024));
    return net.linear(name + ".fc2", net.dropout(name + ".dropout", y, 0.7), classes_);
  }

  bool aux_ = false;
};

}  // namespace

extern const Family googlenet;
const Family googlenet{{{"googlenet", "GoogLeNet: inception modules", make_model<GoogLeNet>}}};

}  // namespace compress::models
