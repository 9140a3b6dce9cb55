// Times reading, cropping, flipping and normalising the JPEGs of a folder on one thread (benchmarks/images.py):
//
//     images FOLDER ROUNDS [BATCH]
#include "core/error.h"
#include "data/loader.h"
#include "exec/memory.h"

#include <nlohmann/json.hpp>

#include <ctime>
#include <iostream>
#include <string>

namespace {

using namespace compress;

nlohmann::json measure(const std::string& folder, int64_t rounds, int64_t batch_size) {
  data::DataConfig config;
  exec::keep_freed_memory();  // as the program does
  config.set_source("image_folder:" + folder);
  config.validation_split = 0;
  const auto images = data::open_splits(config, 1).train;
  std::vector<double> seconds;
  double sum = 0;
  for (int64_t round = 0; round < rounds; ++round) {
    const auto start = std::clock();  // processor time: other programs do not count
    data::Loader loader(images, batch_size, data::Order::shuffled, {1, round}, 0);
    for (data::Batch batch; loader.next(batch);) sum += batch.at("image").const_data_ptr<float>()[0];
    seconds.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return {{"images", images->size()}, {"seconds", seconds}, {"sum", sum}};
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::cerr << "usage: images FOLDER ROUNDS [BATCH]\n";
    return 2;
  }
  try {
    std::cout << measure(arguments[1], std::stoll(arguments[2]), count > 3 ? std::stoll(arguments[3]) : 32) << '\n';
  } catch (const Error& error) {
    std::cerr << error.render() << '\n';
    return 2;
  }
}
