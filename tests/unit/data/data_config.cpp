#include "data/dataset.h"
#include "data_files.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace compress::data {
namespace {

using compress::test::require_error;

DataConfig read_config(const std::string& yaml) {
  DataConfig config;
  Settings settings;
  config.declare(settings);
  settings.read(parse_yaml(yaml, "recipe.yaml"), "data");
  return config;
}

TEST_CASE("data section: normalisation and augmentation are a map, 'none' or absent", "[data]") {
  const auto config = read_config("name: cifar10\nnormalize: {mean: [0.1, 0.2, 0.3], std: [1, 1, 1]}\n"
                                  "augment: {horizontal_flip: true}\nlimits: {train: 100, test: 10}\n");
  REQUIRE(config.mean == std::vector{0.1, 0.2, 0.3});
  REQUIRE(config.augmentation->horizontal_flip);
  REQUIRE(config.limits == std::map<std::string, int64_t>{{"train", 100}, {"test", 10}});
  const auto none = read_config("name: cifar10\nnormalize: none\naugment: none\n");
  REQUIRE(none.mean->empty());
  REQUIRE_FALSE(none.augmentation->horizontal_flip);
  const auto absent = read_config("name: cifar10\n");
  REQUIRE_FALSE(absent.mean.has_value());
  REQUIRE_FALSE(absent.augmentation.has_value());
}

TEST_CASE("data section: what is printed reads back to the same", "[data]") {
  auto config = read_config("name: cifar10\nnormalize: {mean: [0.5], std: [0.25]}\naugment: {random_crop_padding: 3}\n"
                            "limits: {validation: 7}\nbatch_size: 32\n");
  Settings settings;
  config.declare(settings);
  const auto again = read_config(to_text(settings.print()));
  REQUIRE(again.mean == config.mean);
  REQUIRE(again.augmentation->random_crop_padding == 3);
  REQUIRE(again.limits == config.limits);
  REQUIRE(again.batch_size == 32);
  REQUIRE(settings.schema().dump().find("anyOf") != std::string::npos);
  auto absent = read_config("name: cifar10\n");
  Settings bare;
  absent.declare(bare);
  REQUIRE_FALSE(read_config(to_text(bare.print())).mean.has_value());
}

TEST_CASE("data section: faults are named with their place", "[data]") {
  require_error([] { read_config("batch_size: 0\n"); }, "at least 1");
  require_error([] { read_config("name: x\nnormalize: off\n"); },
                "recipe.yaml:2:12: error: normalize takes a map {mean: [...], std: [...]} or 'none', not 'off'");
  require_error([] { read_config("name: x\nnormalize: {mean: [0.5], std: [0]}\n"); }, "std");
  require_error([] { read_config("name: x\nnormalize: {mean: [0.5, 1], std: [1]}\n"); },
                "normalize has 2 means and 1 standard deviations");
  require_error([] { read_config("name: x\naugment: [1]\n"); },
                "augment takes a map {random_resized_crop, random_crop_padding, horizontal_flip, color_jitter, cutout} "
                "or 'none', not a list");
  require_error([] { read_config("name: x\naugment: {horizontal_flop: true}\n"); }, "did you mean 'horizontal_flip'?");
  require_error([] { read_config("name: x\nlimits: {trian: 3}\n"); }, "did you mean 'train'?");
  require_error([] { read_config("name: x\nlimits: {train: 0}\n"); }, "at least 1");
  require_error([] { read_config("name: x\nvalidation_split: 1\n"); }, "in [0, 1)");
}

TEST_CASE("data section: a source of the command line is a name, with a folder after a colon", "[data]") {
  DataConfig config;
  config.set_source("cifar10:some/where");
  REQUIRE(config.name == "cifar10");
  REQUIRE(config.path == "some/where");
  config.set_source("mnist");
  REQUIRE(config.name == "mnist");
  REQUIRE(config.path.empty());
  require_error([&] { config.set_source(":x"); }, "':x' names no data set");
}

}  // namespace
}  // namespace compress::data
