#include "data_files.h"
#include "support/check_error.h"

#include <ATen/core/Tensor.h>

#include <catch2/catch.hpp>

namespace compress::data {
namespace {

using namespace compress::data::test;
using compress::test::require_error;

TEST_CASE("synthetic: labels, masks and bare images for the other tasks", "[data]") {
  const std::vector<int64_t> samples = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto labelled = open_splits(config_of("synthetic_multi_label"), 1).test->batch(samples, {});
  REQUIRE(labelled.at("labels").sizes().vec() == Shape{8, 5});
  const double shown = labelled.at("labels").mean().item<double>();
  REQUIRE(shown > 0.1);
  REQUIRE(shown < 0.8);
  const auto masked = open_splits(config_of("synthetic_segmentation"), 1).test->batch(samples, {});
  REQUIRE(masked.at("mask").sizes().vec() == Shape{8, 16, 16});
  REQUIRE(masked.at("mask").max().item<int64_t>() == 3);
  const auto bare = open_splits(config_of("synthetic_reconstruction"), 1);
  REQUIRE(bare.info.task == "reconstruction");
  REQUIRE(bare.test->batch(samples, {}).fields.size() == 1);
}

TEST_CASE("synthetic: what the description declares is what comes", "[data]") {
  for (const auto& name : dataset_names()) {
    if (!name.starts_with("synthetic")) continue;
    INFO(name);
    const auto declared = declared_fields(config_of(name)), real = open_splits(config_of(name), 1).train->fields();
    REQUIRE(declared.size() == real.size());
    for (size_t i = 0; i < real.size(); ++i) {
      REQUIRE(declared[i].name == real[i].name);
      REQUIRE(declared[i].shape == real[i].shape);
      REQUIRE(declared[i].type == real[i].type);
      REQUIRE(declared[i].classes == real[i].classes);
    }
  }
}

TEST_CASE("synthetic: a mask needs two classes", "[data]") {
  const DataFolder folder;
  folder.write("bad.yaml", "format: synthetic\nshape: [1, 4, 4]\nclasses: 1\nformat_settings: {kind: segmentation}\n");
  require_error([&] { dataset_info(folder.file("bad.yaml")); },
                "synthetic images need a shape of [channels, height, width] and at least 2 classes");
}

}  // namespace
}  // namespace compress::data
