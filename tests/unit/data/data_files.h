#pragma once

#include "core/file.h"
#include "data/dataset.h"
#include "support/temporary_folder.h"

#include <string>
#include <vector>

namespace compress::data::test {

/// A temporary folder to put data files in.
class DataFolder {
public:
  std::string path() const { return folder_.path().string(); }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, std::string_view bytes) const { write_file(file(name), bytes); }

private:
  compress::test::TemporaryFolder folder_;
};

inline std::string idx_bytes(const std::vector<uint8_t>& sizes, std::string_view values) {
  std::string bytes{0, 0, 8, static_cast<char>(sizes.size())};
  for (const uint8_t size : sizes) bytes += std::string{0, 0, 0, static_cast<char>(size)};
  return bytes.append(values);
}

/// A description of 2x3 grey images with 3 classes in MNIST's format, and files for 4 training images and 2 test
/// images.
inline std::string write_small_idx(const DataFolder& folder) {
  std::string pixels;
  for (int i = 0; i < 24; ++i) pixels.push_back(static_cast<char>(10 * i));
  folder.write("train-images-idx3-ubyte", idx_bytes({4, 2, 3}, pixels));
  folder.write("train-labels-idx1-ubyte", idx_bytes({4}, std::string{0, 1, 2, 1}));
  folder.write("t10k-images-idx3-ubyte", idx_bytes({2, 2, 3}, pixels.substr(0, 12)));
  folder.write("t10k-labels-idx1-ubyte", idx_bytes({2}, std::string{2, 0}));
  folder.write("small.yaml",
               "format: idx\nshape: [1, 2, 3]\nclasses: 3\nnormalize: {mean: [0.5], std: [0.25]}\nlook_in: [.]\n");
  return folder.file("small.yaml");
}

/// A description of 1x2x2 images in CIFAR's format with `extra` lines, without files.
inline std::string write_small_cifar(const DataFolder& folder, const std::string& settings) {
  folder.write("small.yaml", "format: cifar\nshape: [3, 1, 2]\nclasses: 5\nlook_in: [.]\nget: ask a friend\n"
                             "format_settings: {train_files: [a.bin, b.bin], test_files: [t.bin], " +
                                 settings + "}\n");
  return folder.file("small.yaml");
}

inline DataConfig config_of(const std::string& name) {
  DataConfig config;
  config.name = name;
  config.validation_split = 0;
  return config;
}

}  // namespace compress::data::test
