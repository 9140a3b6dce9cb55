#include "analysis/granularity.h"
#include "core/error.h"
#include "core/text.h"

#include <vector>

namespace compress::analysis {

namespace {

class NOfM final : public Granularity {
public:
  void declare(Settings& settings) override {
    settings.required("n", n_, "weights that stay of each group", at_least(1));
    settings.required("m", m_, "neighbouring inputs that make a group", at_least(2));
  }

  void check(std::string_view parameter, at::IntArrayRef shape) const override {
    if (n_ >= m_) throw request_error("n_of_m: 'n' must be less than 'm', but {} of {} are to stay", n_, m_);
    if (shape.size() < 2)
      throw request_error("'{}' has no inputs to count {} of {} along: its shape is {}", parameter, n_, m_,
                          shape_text(shape));
    if (shape[1] % m_ != 0)
      throw request_error("'{}' has {} inputs (shape {}), no multiple of {}: {} of each {} cannot stay", parameter,
                          shape[1], shape_text(shape), m_, n_, m_)
          .hint("leave the weight out");
  }

  /// Single weights, those of neighbouring inputs one after the other.
  at::Tensor gather(const at::Tensor& weight) const override { return weight.movedim(1, -1).reshape({-1, 1}); }

  at::Tensor scatter(const at::Tensor& numbers, at::IntArrayRef shape) const override {
    auto inputs_last = shape.vec();
    inputs_last.erase(inputs_last.begin() + 1);
    inputs_last.push_back(shape[1]);
    return numbers.reshape(inputs_last).movedim(-1, 1);
  }

  std::optional<Quota> quota() const override { return Quota{.keep = n_, .of = m_}; }

private:
  int64_t n_ = 0, m_ = 0;
};

}  // namespace

extern const Entry<Granularity> n_of_m_granularity;
const Entry<Granularity> n_of_m_granularity{
    "n_of_m", "single weights, of which n of each m neighbouring inputs stay (2 of 4 is what sparse tensor cores run)",
    make_component<Granularity, NOfM>};

}  // namespace compress::analysis
