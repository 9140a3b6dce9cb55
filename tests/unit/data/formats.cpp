#include "core/zlib_header.h"
#include "data/dataset.h"
#include "data_files.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

namespace compress::data {
namespace {

using namespace compress::data::test;
using compress::test::require_error;

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(bytes.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_CASE("idx: images and labels come out as written, normalised", "[data]") {
  const DataFolder folder;
  const auto splits = open_splits(config_of(write_small_idx(folder)), 1);
  REQUIRE(splits.train->size() == 4);
  REQUIRE(splits.test->size() == 2);
  REQUIRE(splits.validation == nullptr);
  const auto batch = splits.train->batch(std::vector<int64_t>{2, 0}, {});
  REQUIRE(batch.size == 2);
  REQUIRE(batch.at("image").sizes().vec() == Shape{2, 1, 2, 3});
  REQUIRE(batch.at("image").const_data_ptr<float>()[1] == Approx((130.0 / 255 - 0.5) / 0.25));
  REQUIRE(batch.at("label").const_data_ptr<int64_t>()[0] == 2);
}

TEST_CASE("idx: gzipped files are read as they are", "[data]") {
  const DataFolder folder;
  const auto name = write_small_idx(folder);
  const auto plain = read_file(folder.file("train-images-idx3-ubyte"));
  std::filesystem::remove(folder.file("train-images-idx3-ubyte"));
  folder.write("train-images-idx3-ubyte.gz", gzip(plain));
  REQUIRE(open_splits(config_of(name), 1).train->size() == 4);
}

TEST_CASE("idx: a cut file names the expected and the actual bytes", "[data]") {
  const DataFolder folder;
  const auto name = write_small_idx(folder);
  folder.write("train-images-idx3-ubyte", idx_bytes({4, 2, 3}, "abc"));
  require_error([&] { open_splits(config_of(name), 1); },
                "train-images-idx3-ubyte' is cut: expected 40 bytes (4x2x3), it has 19");
  folder.write("train-images-idx3-ubyte", idx_bytes({4, 2, 3}, std::string(30, 'a')));
  require_error([&] { open_splits(config_of(name), 1); }, "is too long: expected 40 bytes (4x2x3), it has 46");
  folder.write("train-images-idx3-ubyte", "abcdefg");
  require_error([&] { open_splits(config_of(name), 1); }, "is cut: its header has 16 bytes, the file 7");
}

TEST_CASE("idx: a file with the wrong magic number is refused", "[data]") {
  const DataFolder folder;
  const auto name = write_small_idx(folder);
  folder.write("train-labels-idx1-ubyte", idx_bytes({4, 2, 3}, std::string(24, 'a')));
  require_error(
      [&] { open_splits(config_of(name), 1); },
      "train-labels-idx1-ubyte' is no IDX file of bytes with 1 axes: it starts with 0x00000803, expected 0x00000801");
}

TEST_CASE("idx: a header that claims more than any file can hold is refused", "[data]") {
  const DataFolder folder;
  const auto name = write_small_idx(folder);
  folder.write("train-images-idx3-ubyte", std::string("\0\0\x08\x03", 4) + std::string(12, '\xff'));
  require_error([&] { open_splits(config_of(name), 1); }, "claims an impossible size");
}

TEST_CASE("idx: a label out of range names file, record, label and classes", "[data]") {
  const DataFolder folder;
  const auto name = write_small_idx(folder);
  folder.write("train-labels-idx1-ubyte", idx_bytes({4}, std::string{0, 1, 7, 1}));
  require_error([&] { open_splits(config_of(name), 1); },
                "train-labels-idx1-ubyte': record 2 has label 7, but the data set has 3 classes (0 to 2)");
}

TEST_CASE("idx: images of another size or count than declared are refused", "[data]") {
  const DataFolder folder;
  const auto name = write_small_idx(folder);
  folder.write("train-labels-idx1-ubyte", idx_bytes({3}, std::string{0, 1, 1}));
  require_error([&] { open_splits(config_of(name), 1); },
                "holds 4 images in 'train-images-idx3-ubyte' but 3 labels in 'train-labels-idx1-ubyte'");
  folder.write("train-images-idx3-ubyte", idx_bytes({0, 2, 3}, ""));
  require_error([&] { open_splits(config_of(name), 1); }, "train-images-idx3-ubyte' holds no images");
  folder.write("train-images-idx3-ubyte", idx_bytes({1, 3, 3}, std::string(9, 'a')));
  require_error([&] { open_splits(config_of(name), 1); }, "holds images of 1x3x3, but data set 'small' has 1x2x3");
}

TEST_CASE("cifar: records of several files follow one another; channels are planes", "[data]") {
  const DataFolder folder;
  const auto name = write_small_cifar(folder, "train_records: 1, test_records: 0");
  folder.write("a.bin", std::string{4, 10, 20, 30, 40, 50, 60});
  folder.write("b.bin", std::string{1, 1, 2, 3, 4, 5, 6});
  folder.write("t.bin", std::string{0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0});
  const auto splits = open_splits(config_of(name), 1);
  REQUIRE(splits.test->size() == 2);
  const auto batch = splits.train->batch(std::vector<int64_t>{0, 1}, {});
  REQUIRE(batch.at("label").const_data_ptr<int64_t>()[0] == 4);
  const auto& image = batch.at("image");
  REQUIRE(image.is_contiguous(at::MemoryFormat::ChannelsLast));
  REQUIRE(image[0][1][0][1].item<float>() == Approx(40.0 / 255));
  REQUIRE(image[1][2][0][0].item<float>() == Approx(5.0 / 255));
}

TEST_CASE("cifar: the fine or the coarse label of two", "[data]") {
  const DataFolder folder;
  for (const auto& [labels, expected] : {std::pair{"fine", 3}, {"coarse", 2}}) {
    const auto name = write_small_cifar(folder, fmt::format("train_records: 1, test_records: 1, labels: {}", labels));
    for (const char* file : {"a.bin", "b.bin", "t.bin"}) folder.write(file, std::string{2, 3, 0, 0, 0, 0, 0, 9});
    const auto batch = open_splits(config_of(name), 1).test->batch(std::vector<int64_t>{0}, {});
    REQUIRE(batch.at("label").item<int64_t>() == expected);
    REQUIRE(batch.at("image").flatten()[5].item<float>() == Approx(9.0 / 255));
  }
}

TEST_CASE("cifar: a cut file and a label out of range are named", "[data]") {
  const DataFolder folder;
  const auto name = write_small_cifar(folder, "train_records: 2");
  folder.write("a.bin", std::string{4, 10, 20, 30, 40, 50, 60, 1, 2, 3});
  require_error([&] { open_splits(config_of(name), 1); },
                "a.bin' is cut: expected 14 bytes (2 records of 7 bytes), it has 10");
  folder.write("a.bin", std::string(20, 1));
  require_error([&] { open_splits(config_of(name), 1); }, "a.bin' is too long: expected 14 bytes");
  folder.write("a.bin", std::string{4, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0});
  require_error([&] { open_splits(config_of(name), 1); },
                "a.bin': record 1 has label 9, but the data set has 5 classes (0 to 4)");
}

TEST_CASE("cifar: CIFAR-100's records are 3,074 bytes: coarse label, fine label, three planes", "[data]") {
  const DataFolder folder;
  std::string record(3074, '\0');
  record[0] = 11;
  record[1] = 98;
  record[2 + 1024] = static_cast<char>(255);  // the first green pixel
  folder.write("train.bin", record + record);
  folder.write("test.bin", record);
  for (const auto& [name, label] : {std::pair{"cifar100", 98}, {"cifar100_coarse", 11}}) {
    auto config = config_of(name);
    config.path = folder.path();
    config.format_settings = parse_yaml("{train_records: 2, test_records: 1}", "recipe.yaml");
    config.mean = config.std = std::vector<double>{};
    const auto batch = open_splits(config, 1).test->batch(std::vector<int64_t>{0}, {});
    REQUIRE(batch.at("label").item<int64_t>() == label);
    REQUIRE(batch.at("image")[0][1][0][0].item<float>() == 1);
    REQUIRE(batch.at("image").sum().item<float>() == 1);
    config.format_settings = {};
    require_error([&] { open_splits(config, 1); },
                  "train.bin' is cut: expected 153,700,000 bytes (50,000 records of 3074");
  }
}

TEST_CASE("formats: a missing file lists the folders looked in and how to get the data", "[data]") {
  const DataFolder folder;
  auto config = config_of(write_small_cifar(folder, "train_records: 1"));
  require_error([&] { open_splits(config, 1); },
                "data set 'small' was not found: no 'a.bin' (or .gz) in '" + folder.path());
  require_error([&] { open_splits(config, 1); }, "ask a friend");
  require_error([&] { open_splits(config, 1); }, "set data.path");
  config.path = "/nowhere";
  require_error([&] { open_splits(config, 1); }, "no 'a.bin' (or .gz) in '/nowhere'");
  folder.write("a.bin", std::string(7, 0));
  config.path = folder.path();
  require_error([&] { open_splits(config, 1); }, "has no file 'b.bin', nor 'b.bin.gz'");
}

TEST_CASE("synthetic: images are a function of the seed, and need a shape of three sizes", "[data]") {
  const auto batch = [] { return open_splits(config_of("synthetic"), 1).train->batch(std::vector<int64_t>{5, 9}, {}); };
  REQUIRE(batch().at("image").equal(batch().at("image")));
  REQUIRE(batch().at("image").sizes().vec() == Shape{2, 3, 16, 16});
  const DataFolder folder;
  folder.write("bad.yaml", "format: synthetic\nshape: [4]\n");
  require_error([&] { open_splits(config_of(folder.file("bad.yaml")), 1); },
                "data set 'bad': synthetic images need a shape of [channels, height, width] and classes");
  folder.write("bad.yaml", "format: synthetic\nshape: [1, 4, 4]\nformat_settings: {kind: regression}\n");
  require_error([&] { open_splits(config_of(folder.file("bad.yaml")), 1); },
                "data set 'bad': synthetic regression needs a shape of [features]");
}

TEST_CASE("synthetic: pairs have two images, a regression has x and y", "[data]") {
  const auto pair = open_splits(config_of("synthetic_pair"), 1).test->batch(std::vector<int64_t>{0}, {});
  REQUIRE_FALSE(pair.at("left").equal(pair.at("right")));
  const auto vectors = open_splits(config_of("synthetic_regression"), 1).test->batch(std::vector<int64_t>{0, 1, 2}, {});
  REQUIRE(vectors.at("x").sizes().vec() == Shape{3, 8});
  REQUIRE(vectors.at("y").sizes().vec() == Shape{3, 1});
  require_error([&] { (void)vectors.at("z"); }, "the data have no field 'z'; they have: x, y");
}

}  // namespace
}  // namespace compress::data
