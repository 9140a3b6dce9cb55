#include "data/dataset.h"
#include "data_files.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

#include <algorithm>

namespace compress::data {
namespace {

using namespace compress::data::test;
using compress::test::require_error;

TEST_CASE("data set: every built-in description is sound", "[data]") {
  const auto names = dataset_names();
  REQUIRE(std::ranges::is_sorted(names));
  for (const auto& name : names) {
    INFO(name);
    const auto info = dataset_info(name);
    REQUIRE(info.name == name);
    REQUIRE_FALSE(info.doc.empty());
    REQUIRE((info.format == "synthetic" || (!info.look_in.empty() && !info.get.empty())));
    REQUIRE((info.class_names.empty() || std::ssize(info.class_names) == info.classes));
  }
}

TEST_CASE("data set: CIFAR-10 has ImageNet's mean and standard deviation and the usual augmentation", "[data]") {
  const auto info = dataset_info("cifar10");
  REQUIRE(info.mean == std::vector{0.485, 0.456, 0.406});
  REQUIRE(info.std == std::vector{0.229, 0.224, 0.225});
  REQUIRE(info.augmentation.random_crop_padding == 4);
  REQUIRE(info.augmentation.horizontal_flip);
}

TEST_CASE("data set: an unknown name gets the nearest one", "[data]") {
  require_error([] { dataset_info("cifar01"); }, "unknown data set 'cifar01'");
  require_error([] { dataset_info("fashion_mnits"); }, "did you mean 'fashion_mnist'?");
  require_error([] { dataset_info("x"); }, "or give the path of a YAML file that describes yours");
  require_error([] { dataset_info("/nowhere/x.yaml"); }, "/nowhere/x.yaml");
}

TEST_CASE("data set: faults of a description are named with their place", "[data]") {
  const DataFolder folder;
  const auto text_of = [&](const std::string& yaml) {
    folder.write("mine.yaml", yaml);
    return compress::test::error_text([&] { dataset_info(folder.file("mine.yaml")); });
  };
  using Catch::Contains;
  REQUIRE_THAT(text_of("format: idy\nshape: [1, 2, 2]\n"), Contains("unknown data format 'idy'") && Contains("'idx'"));
  REQUIRE_THAT(text_of("format: idx\nshape: []\n"), Contains("shape takes at least one size, all positive"));
  REQUIRE_THAT(text_of("format: idx\nshape: [1, 2, 2]\nclasses: 3\nclass_names: [a, b]\n"),
               Contains("data set 'mine' has 3 classes but 2 class names") && Contains("mine.yaml:4"));
  REQUIRE_THAT(text_of("format: cifar\nshape: [1]\nformat_settings: {labelz: fine}\n"),
               Contains("labelz") && Contains("'labels'"));
  REQUIRE_THAT(text_of("format: idx\nshape: [1, 2, 2]\nnormalize: {mean: [1, 2], std: [1]}\n"),
               Contains("normalize has 2 means and 1 standard deviations; one of each for every channel"));
}

}  // namespace
}  // namespace compress::data
