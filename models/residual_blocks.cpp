#include "residual_blocks.h"

namespace compress::models {

std::string
projection_shortcut(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride) {
  if (stride == 1 && net.channels(x) == channels) return x;
  const auto y = net.conv(block + ".downsample.0", x, {.channels = channels, .kernel = 1, .stride = stride});
  return net.batch_norm(block + ".downsample.1", y);
}

std::string
basic_block(Builder& net, const std::string& block, const std::string& x, int64_t channels, int64_t stride) {
  auto y = net.conv(block + ".conv1", x, {.channels = channels, .kernel = 3, .stride = stride, .padding = 1});
  y = net.relu(block + ".relu1", net.batch_norm(block + ".bn1", y));
  y = net.conv(block + ".conv2", y, {.channels = channels, .kernel = 3, .padding = 1});
  y = net.batch_norm(block + ".bn2", y);
  y = net.add(block + ".add", y, projection_shortcut(net, block, x, channels, stride));
  return net.relu(block + ".relu2", y);
}

std::string residual_stem(Builder& net, int64_t channels) {
  auto x = net.conv("conv1", net.input(), {.channels = channels, .kernel = 7, .stride = 2, .padding = 3});
  x = net.relu("relu", net.batch_norm("bn1", x));
  return net.max_pool("maxpool", x, {.kernel = 3, .stride = 2, .padding = 1});
}

std::string average_and_classify(Builder& net, const std::string& x, int64_t classes) {
  return net.linear("fc", net.flatten("flatten", net.global_average_pool("avgpool", x)), classes);
}

}  // namespace compress::models
