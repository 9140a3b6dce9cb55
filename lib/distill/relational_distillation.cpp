#include "distill/feature_distiller.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/smooth_l1_loss.h>

namespace compress::distill {

namespace {

/// Park et al. 2019: how samples lie to each other. Distances between the samples of a batch, divided by their mean,
/// and the cosines of the angles between all triples are compared by a Huber loss. Networks of any two widths fit. A
/// batch of one sample has no relations and adds nothing.
class RelationalDistillation final : public FeatureDistiller {
public:
  RelationalDistillation() : FeatureDistiller("RelationalDistillation", "relation_loss") {}

private:
  void declare_own(Settings& settings) override {
    settings.optional("distance_wt", distance_wt_, "weight of the distances between two samples", at_least(0));
    settings.optional("angle_wt", angle_wt_, "weight of the angles between three samples", at_least(0));
  }

  void check_own() const override {
    if (distance_wt_ + angle_wt_ <= 0)
      throw request_error("'distance_wt' and 'angle_wt' are both 0: nothing would be compared");
  }

  void check_pair(const Pair&) const override {}

  at::Tensor distance(size_t, const at::Tensor& student, const at::Tensor& teacher, train::State&) override {
    const auto own = centred(student), its = centred(teacher.to(student.scalar_type()));
    auto sum = own.sum().mul(0);
    if (own.size(0) < 2) return sum;
    const auto own_products = own.matmul(own.t()), its_products = its.matmul(its.t());
    const auto own_lengths = lengths(own_products), its_lengths = lengths(its_products);
    if (distance_wt_ > 0) sum = sum.add(at::smooth_l1_loss(relative(own_lengths), relative(its_lengths)), distance_wt_);
    if (angle_wt_ > 0)
      sum = sum.add(at::smooth_l1_loss(cosines(own_products, own_lengths), cosines(its_products, its_lengths)),
                    angle_wt_);
    return sum;
  }

  /// [N, features]. Neither distances nor angles depend on the origin; products are the most exact around the mean.
  static at::Tensor centred(const at::Tensor& value) {
    const auto flat = value.flatten(1);
    return flat.sub(flat.mean(0).detach());
  }

  static at::Tensor others(const at::Tensor& like) { return at::eye(like.size(0), like.options()).neg().add(1); }

  /// The distances [N, N] from the products of all samples, exactly 0 of a sample to itself.
  static at::Tensor lengths(const at::Tensor& products) {
    const auto squares = products.diagonal();
    const auto squared = squares.unsqueeze(0).add(squares.unsqueeze(1)).sub(products, 2);
    return squared.clamp_min(1e-12).sqrt().mul(others(products));
  }

  static at::Tensor relative(const at::Tensor& lengths) {
    const auto pairs = static_cast<double>(lengths.size(0) * (lengths.size(0) - 1));
    return lengths.div(lengths.sum().div(pairs).clamp_min(1e-12));
  }

  /// [N, N, N]: at i, j, k the cosine at sample i of the angle between j and k, 0 where two are the same.
  static at::Tensor cosines(const at::Tensor& products, const at::Tensor& lengths) {
    const auto squares = products.diagonal().view({-1, 1, 1});
    const auto scalar = products.unsqueeze(0).sub(products.unsqueeze(2)).sub(products.unsqueeze(1)).add(squares);
    const auto other = others(products);
    const auto inverse = lengths.add(at::eye(lengths.size(0), lengths.options())).reciprocal().mul(other);
    return scalar.mul(inverse.unsqueeze(2)).mul(inverse.unsqueeze(1));
  }

  double distance_wt_ = 25, angle_wt_ = 50;
};

}  // namespace

extern const Entry<Distiller> relational_distillation;
const Entry<Distiller> relational_distillation{"RelationalDistillation",
                                               "samples lie to each other as they do for a teacher (Park et al. 2019)",
                                               make_component<Distiller, RelationalDistillation>};

}  // namespace compress::distill
