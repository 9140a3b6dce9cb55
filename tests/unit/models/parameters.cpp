// Names, shapes and sizes of the zoo against what others publish.
#include "analysis/cost.h"
#include "core/file.h"
#include "core/text.h"
#include "zoo.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cmath>

namespace compress {

namespace {

Graph shapes_of(const std::string& spec) {
  return models::build_model(spec, std::nullopt);
}

std::vector<std::string> layers(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& parameter : graph.parameters()) names.push_back(parameter.name);
  return names;
}

}  // namespace

TEST_CASE("Distiller's networks have its parameters, names and shapes", "[models]") {
  const auto golden = nlohmann::ordered_json::parse(read_file("tests/golden/distiller_parameters.json"));
  REQUIRE(golden.size() == 18);
  for (const auto& [spec, expected] : golden.items()) {
    INFO(spec);
    nlohmann::ordered_json actual;
    const auto graph = shapes_of(spec);
    for (const auto& parameter : graph.parameters())
      if (parameter.trainable) actual[parameter.name] = shape_text(parameter.value.sizes());
    REQUIRE(actual.dump() == expected.dump());
  }
}

TEST_CASE("weights and MACs are those that Distiller counts", "[models]") {
  struct Published {
    const char* name;
    int64_t weights, macs;
  };
  for (const auto& [name, weights, macs] : {Published{"resnet20_cifar", 270896, 40813184},
                                            {"resnet20_cifar_earlyexit", 270896 + 16000, 40813184 + 16000},
                                            {"resnet56_cifar", 851504, 125747840},
                                            {"plain20_cifar", 268336, 0},
                                            {"vgg16_cifar", 14715584, 313201664},
                                            {"simplenet_cifar", 0, 352800 + 240000 + 48000 + 10080 + 840},
                                            {"mobilenet_v1", 4209088, 568740352},
                                            {"resnet18", 11678912, 0},
                                            {"resnet50", 25502912, 4089184256}}) {
    INFO(name);
    const auto cost = analysis::cost(shapes_of(name));
    if (weights) REQUIRE(cost.weights == weights);
    if (macs) REQUIRE(cost.macs == macs);
  }
}

TEST_CASE("the MACs of each of MobileNet's layers", "[models]") {
  const std::vector<int64_t> expected{10838016, 3612672,  25690112, 1806336,  25690112, 3612672,  51380224,
                                      903168,   25690112, 1806336,  51380224, 451584,   25690112, 903168,
                                      51380224, 903168,   51380224, 903168,   51380224, 903168,   51380224,
                                      903168,   51380224, 225792,   25690112, 451584,   51380224, 1024000};
  std::vector<int64_t> macs;
  for (const auto& node : analysis::cost(shapes_of("mobilenet")).nodes)
    if (node.weighted) macs.push_back(node.macs);
  REQUIRE(macs == expected);
}

TEST_CASE("parameters and 10^9 MACs are those that torchvision and timm publish", "[models]") {
  struct Published {
    const char* name;
    int64_t parameters;
    double billions;  ///< 0: not published
  };
  for (const auto& [name, parameters, billions] :
       {Published{"alexnet", 61100840, 0.71},          Published{"vgg11", 132863336, 7.61},
        Published{"vgg13", 133047848, 11.31},          Published{"vgg16", 138357544, 15.47},
        Published{"vgg19", 143667240, 19.63},          Published{"vgg11_bn", 132868840, 7.61},
        Published{"vgg13_bn", 133053736, 11.31},       Published{"vgg16_bn", 138365992, 15.47},
        Published{"vgg19_bn", 143678248, 19.63},       Published{"resnet18", 11689512, 1.81},
        Published{"resnet34", 21797672, 3.66},         Published{"resnet50", 25557032, 4.09},
        Published{"resnet101", 44549160, 7.80},        Published{"resnet152", 60192808, 11.51},
        Published{"resnext50_32x4d", 25028904, 4.23},  Published{"resnext101_32x4d", 44177704, 0},
        Published{"wide_resnet50_2", 68883240, 11.40}, Published{"squeezenet1_0", 1248424, 0.82},
        Published{"squeezenet1_1", 1235496, 0.35},     Published{"densenet121", 7978856, 2.83},
        Published{"mobilenet_v2", 3504872, 0.30},      Published{"mobilenet_v3_small", 2542856, 0.06},
        Published{"googlenet", 6624904, 1.50},         Published{"googlenet?aux=true", 13004888, 0},
        Published{"efficientnet_lite0", 4652008, 0},   Published{"lenet5", 431080, 0}}) {
    INFO(name);
    const auto cost = analysis::cost(shapes_of(name));
    REQUIRE(cost.parameters == parameters);
    if (billions > 0) REQUIRE(std::abs(static_cast<double>(cost.macs) / 1e9 - billions) < 0.01);
  }
}

TEST_CASE("parameter names are torchvision's and timm's", "[models]") {
  const std::vector<std::pair<const char*, std::vector<std::string>>> samples{
      {"alexnet", {"features.0.weight", "features.10.bias", "classifier.1.weight", "classifier.6.bias"}},
      {"vgg16_bn", {"features.0.weight", "features.1.running_mean", "features.41.weight", "classifier.6.weight"}},
      {"vgg19", {"features.34.weight", "classifier.3.bias"}},
      {"resnet18", {"conv1.weight", "bn1.running_var", "layer2.0.downsample.0.weight", "layer4.1.bn2.bias", "fc.bias"}},
      {"resnext50_32x4d", {"layer1.0.downsample.1.weight", "layer4.2.conv3.weight", "layer3.5.bn3.running_mean"}},
      {"squeezenet1_0", {"features.3.squeeze.weight", "features.12.expand3x3.bias", "classifier.1.weight"}},
      {"squeezenet1_1", {"features.4.expand1x1.weight", "features.6.squeeze.bias", "features.12.squeeze.weight"}},
      {"densenet121",
       {"features.conv0.weight", "features.denseblock1.denselayer1.norm1.weight",
        "features.denseblock4.denselayer16.conv2.weight", "features.transition3.conv.weight", "features.norm5.bias",
        "classifier.weight"}},
      {"mobilenet_v2",
       {"features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.1.weight", "features.1.conv.2.bias",
        "features.2.conv.1.0.weight", "features.17.conv.3.running_mean", "features.18.1.weight",
        "classifier.1.weight"}},
      {"mobilenet_v3_small",
       {"features.0.0.weight", "features.1.block.0.0.weight", "features.1.block.1.fc1.bias",
        "features.1.block.2.1.weight", "features.2.block.2.0.weight", "features.4.block.2.fc2.weight",
        "features.4.block.3.0.weight", "features.12.1.running_var", "classifier.0.weight", "classifier.3.bias"}},
      {"googlenet?aux=true",
       {"conv1.conv.weight", "conv3.bn.running_mean", "inception3a.branch1.conv.weight",
        "inception4e.branch3.1.bn.weight", "inception5b.branch4.1.conv.weight", "aux1.conv.conv.weight",
        "aux2.fc2.bias", "fc.weight"}},
      {"efficientnet_lite0",
       {"conv_stem.weight", "bn1.weight", "blocks.0.0.conv_dw.weight", "blocks.0.0.conv_pw.weight",
        "blocks.0.0.bn2.bias", "blocks.1.0.conv_pwl.weight", "blocks.6.0.bn3.running_var", "conv_head.weight",
        "bn2.bias", "classifier.weight"}},
      {"resnet20_cifar_earlyexit", {"layer1.2.relu2.branch_net.2.weight", "fc.weight"}},
      {"resnet50_earlyexit", {"layer1.2.relu3.branch_net.0.bias", "layer2.3.relu3.branch_net.3.weight"}},
      {"preact_resnet50", {"layer1.0.bn2_3.weight", "layer1.1.pre_bn.bias", "layer2.0.downsample.0.weight"}}};
  for (const auto& [name, expected] : samples) {
    const auto names = layers(shapes_of(name));
    for (const auto& parameter : expected) {
      INFO(name << " " << parameter);
      REQUIRE(std::count(names.begin(), names.end(), parameter) == 1);
    }
  }
}

}  // namespace compress
