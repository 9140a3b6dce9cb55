#include "train/precision.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_amp_update_scale.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

// LibTorch's header for these takes in all of ATen.
namespace at::autocast {
TORCH_API void set_autocast_enabled(at::DeviceType device, bool enabled);
TORCH_API void set_autocast_dtype(at::DeviceType device, at::ScalarType type);
TORCH_API at::ScalarType get_autocast_dtype(at::DeviceType device);
TORCH_API void clear_cache();
}  // namespace at::autocast

namespace compress::train {

namespace {

constexpr double kFirstScale = 65536, kGrowth = 2, kBackoff = 0.5;
constexpr int64_t kGrowthInterval = 2000;

at::Tensor lowered(const at::Tensor& tensor) {
  return tensor.defined() && tensor.scalar_type() == at::kFloat ? tensor.to(at::autocast::get_autocast_dtype(at::kCPU))
                                                                : tensor;
}

at::Tensor convolution_on_cpu(const at::Tensor& input,
                              const at::Tensor& weight,
                              const std::optional<at::Tensor>& bias,
                              c10::SymIntArrayRef stride,
                              c10::SymIntArrayRef padding,
                              c10::SymIntArrayRef dilation,
                              bool transposed,
                              c10::SymIntArrayRef output_padding,
                              c10::SymInt groups) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  return at::convolution_symint(lowered(input), lowered(weight), bias ? std::optional(lowered(*bias)) : std::nullopt,
                                stride, padding, dilation, transposed, output_padding, std::move(groups));
}

/// LibTorch's autocast knows the general convolution on CUDA, on the CPU only its special forms.
void teach_cpu_convolution() {
  static const torch::Library library = [] {
    torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::AutocastCPU, __FILE__, __LINE__);
    aten.impl("convolution", convolution_on_cpu);
    return aten;
  }();
}

at::Tensor one_number(double value, at::ScalarType type, at::Device device) {
  return at::full({1}, value, at::TensorOptions(type).device(device));
}

}  // namespace

void check_precision(Precision precision, at::Device device) {
  if (precision == Precision::float16 && !device.is_cuda())
    throw request_error("precision 'float16' needs a CUDA device, and training is on '{}'", device.str())
        .hint("use bfloat16 or float32, or training.device: cuda");
}

Autocast::Autocast(Precision precision, at::Device device)
    : device_(device.type()), active_(precision != Precision::float32) {
  if (!active_) return;
  if (device.is_cpu()) teach_cpu_convolution();
  at::autocast::set_autocast_dtype(device_, precision == Precision::float16 ? at::kHalf : at::kBFloat16);
  at::autocast::set_autocast_enabled(device_, true);
}

Autocast::~Autocast() {
  if (!active_) return;
  at::autocast::set_autocast_enabled(device_, false);
  at::autocast::clear_cache();
}

LossScaler::LossScaler(at::Device device)
    : scale_(one_number(kFirstScale, at::kFloat, device)), good_steps_(one_number(0, at::kInt, device)),
      found_bad_(one_number(0, at::kFloat, device)) {}

bool LossScaler::unscale(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  found_bad_.zero_();
  at::_amp_foreach_non_finite_check_and_unscale_(gradients, found_bad_, scale_.reciprocal());
  return found_bad_.item<float>() == 0;
}

void LossScaler::update() {
  const at::NoGradGuard no_grad;
  at::_amp_update_scale_(scale_, good_steps_, found_bad_, kGrowth, kBackoff, kGrowthInterval);
}

Memory LossScaler::save() const {
  return {.values = {}, .tensors = {{"scale", scale_}, {"good_steps", good_steps_}}};
}

void LossScaler::load(const Memory& memory) {
  scale_ = memory.tensors.at("scale").to(scale_.device()).clone();
  good_steps_ = memory.tensors.at("good_steps").to(scale_.device()).clone();
}

}  // namespace compress::train
