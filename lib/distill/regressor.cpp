#include "distill/regressor.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

namespace compress::distill {

at::Tensor position_tensor(const std::vector<int64_t>& positions, at::Device device) {
  auto tensor = at::empty({std::ssize(positions)}, at::kLong);
  std::ranges::copy(positions, tensor.mutable_data_ptr<int64_t>());
  return tensor.to(device);
}

void Regressor::create(int64_t from, int64_t to, Random random, at::Device device) {
  auto weight = at::empty({to, from});
  auto* values = weight.mutable_data_ptr<float>();
  for (int64_t i = 0; i < weight.numel(); ++i)
    values[i] = static_cast<float>(random.normal() / std::sqrt(static_cast<double>(from)));
  tensors_["weight"] = weight.to(device);
  tensors_["weight_speed"] = at::zeros({to, from}, at::TensorOptions(device));
  tensors_["bias"] = at::zeros({to}, at::TensorOptions(device));
  tensors_["bias_speed"] = at::zeros({to}, at::TensorOptions(device));
}

void Regressor::to(at::Device device) {
  for (auto& [name, tensor] : tensors_) tensor = tensor.to(device);
}

at::Tensor Regressor::map(const at::Tensor& x) const {
  return at::linear(x, tensors_.at("weight"), tensors_.at("bias"));
}

void Regressor::learn(const at::Tensor& x, const at::Tensor& target, Measure measure) {
  const auto require_gradients = [&](bool required) {
    for (const char* name : {"weight", "bias"}) tensors_.at(name).set_requires_grad(required);
  };
  require_gradients(true);
  measure(map(x.detach()), target).mul(x.size(0)).backward();
  require_gradients(false);
  samples_ += x.size(0);
}

void Regressor::step(double lr, double momentum) {
  if (samples_ == 0) return;
  const at::NoGradGuard no_grad;
  descend("weight", lr, momentum);
  descend("bias", lr, momentum);
  samples_ = 0;
}

void Regressor::descend(const std::string& name, double lr, double momentum) {
  auto &value = tensors_.at(name), &speed = tensors_.at(name + "_speed");
  speed = speed.mul(momentum).add(value.grad(), 1 / static_cast<double>(samples_));
  value = value.sub(speed, lr);  // a new tensor, without gradient
}

void Regressor::keep(const std::vector<int64_t>& positions) {
  for (const char* name : {"weight", "weight_speed"})
    if (const auto found = tensors_.find(name); found != tensors_.end())
      found->second = found->second.index_select(1, position_tensor(positions, found->second.device()));
}

void Regressor::save(train::Memory& memory, const std::string& prefix) const {
  for (const auto& [name, tensor] : tensors_) memory.tensors[prefix + name] = tensor;
}

void Regressor::load(const train::Memory& memory, const std::string& prefix) {
  tensors_.clear();
  for (const auto& [name, tensor] : memory.tensors)
    if (name.starts_with(prefix)) tensors_[name.substr(prefix.size())] = tensor.clone();
}

}  // namespace compress::distill
