#pragma once

#include "prune/criterion.h"

#include <map>
#include <string>
#include <vector>

namespace compress::prune {

/// A criterion that goes by gradients of the loss: it sees those of every mini-batch and keeps what it needs by
/// parameter. Where training keeps the unmasked weights (use_double_copies), it sees those too.
class GradientCriterion : public Criterion {
public:
  void bind(const Graph& graph,
            const std::vector<std::string>& parameters,
            const analysis::Granularity& granularity,
            Problems& problems) override;
  void observe(const Graph& graph) final;
  bool ready() const override { return observed_ >= needed(); }

  void apply(const Changes& changes) override;
  train::Memory save() const override;
  void load(const train::Memory& memory) override;

protected:
  /// One mini-batch: a weight, and the gradient of the loss by it (0 where float16 could not hold it).
  virtual void learn(const std::string& name, const at::Tensor& weight, const at::Tensor& gradient) = 0;
  /// Mini-batches to observe before the first masks.
  virtual int64_t needed() const { return 1; }
  int64_t observed() const { return observed_; }
  /// What it keeps, of the parameter's shape; undefined at first.
  at::Tensor& kept(const std::string& name) { return kept_[name]; }
  /// The same, where the weight is now; throws a run error when nothing was observed of it.
  at::Tensor kept(const Candidate& candidate) const;

private:
  std::vector<std::string> names_;
  std::map<std::string, at::Tensor> kept_;
  int64_t observed_ = 0;
};

/// Strengths in which structures whose weights are all zero, because they were removed before, come behind all others.
at::Tensor behind_all_others(const at::Tensor& strengths, const Candidate& candidate);

}  // namespace compress::prune
