#include "core/text.h"
#include "distill/feature_distiller.h"

#include <ATen/ops/adaptive_avg_pool2d.h>

#include <algorithm>

namespace compress::distill {

namespace {

/// Zagoruyko and Komodakis 2017: where a network looks. The attention map of a value is the sum over its channels of
/// |a|^power, as a vector of length 1 for each sample; the distance is the squared length of the difference, averaged
/// over the batch. Maps of images of different sizes are averaged to the smaller size.
class AttentionTransfer final : public FeatureDistiller {
public:
  AttentionTransfer() : FeatureDistiller("AttentionTransfer", "attention_loss") {}

private:
  void declare_own(Settings& settings) override {
    settings.optional("power", power_, "the larger, the more the places of the strongest activations count",
                      at_least(1));
  }

  void check_pair(const Pair& pair) const override {
    const auto own = places(pair.student_shape, pair.student_channels);
    const auto its = places(pair.teacher_shape, pair.teacher_channels);
    if (own.empty() || its.empty())
      throw request_error("'{}' has features but no places ({} for each sample): there is no attention to transfer",
                          own.empty() ? pair.student : pair.teacher,
                          shape_text(sample_shape(own.empty() ? pair.student_shape : pair.teacher_shape)))
          .hint("HintDistillation and RelationalDistillation compare features");
    if (own != its && (own.size() != 2 || its.size() != 2))
      throw request_error("'{}' has {} places, the teacher's '{}' {}: only those of images can be averaged to one size",
                          pair.student, shape_text(own), pair.teacher, shape_text(its));
  }

  at::Tensor distance(size_t i, const at::Tensor& student, const at::Tensor& teacher, train::State&) override {
    auto own = attention(student, pairs()[i].student_channels);
    auto its = attention(teacher.to(student.scalar_type()), pairs()[i].teacher_channels);
    if (own.dim() == 3 && !own.sizes().equals(its.sizes())) {
      const std::vector<int64_t> size{std::min(own.size(1), its.size(1)), std::min(own.size(2), its.size(2))};
      own = at::adaptive_avg_pool2d(own, size);
      its = at::adaptive_avg_pool2d(its, size);
    }
    return unit(own).sub(unit(its)).square().sum().div(student.size(0));
  }

  static Shape places(const Shape& shape, size_t channels) {
    auto sizes = shape;
    sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(channels));
    return sample_shape(sizes);
  }

  at::Tensor attention(const at::Tensor& value, size_t channels) const {
    return value.abs().pow(power_).sum(static_cast<int64_t>(channels));
  }

  static at::Tensor unit(const at::Tensor& map) {
    const auto flat = map.flatten(1);
    return flat.div(flat.norm(2, {1}, true).clamp_min(1e-12));
  }

  double power_ = 2;
};

}  // namespace

extern const Entry<Distiller> attention_transfer;
const Entry<Distiller> attention_transfer{"AttentionTransfer",
                                          "the network also looks where a teacher looks (Zagoruyko & Komodakis 2017)",
                                          make_component<Distiller, AttentionTransfer>};

}  // namespace compress::distill
