#pragma once

#include "analysis/activation_statistics.h"
#include "prune/criterion.h"

#include <map>
#include <string>
#include <vector>

namespace compress::prune {

/// A criterion that judges filters by what they put out, behind the layer's activation function, for training images
/// without augmentation. It collects the statistics by itself.
class ActivationCriterion : public Criterion {
public:
  void declare(Settings& settings) override;
  void bind(const Graph& graph,
            const std::vector<std::string>& parameters,
            const analysis::Granularity& granularity,
            Problems& problems) override;
  void collect(train::State& state) override;
  bool ready() const override;
  at::Tensor strengths(const Candidate& candidate) const override;

  void apply(const Changes& changes) override;
  train::Memory save() const override;
  void load(const train::Memory& memory) override;

protected:
  virtual at::Tensor strengths_of(const analysis::ChannelActivations& channels) const = 0;
  /// Counts zeros: without an activation function that makes some it has nothing to go by.
  virtual bool needs_zeros() const { return false; }

private:
  void check(const Graph& graph, const std::string& name, const analysis::Granularity& granularity) const;

  int64_t samples_ = 512;
  std::vector<std::string> names_;
  std::map<std::string, at::Tensor> strengths_;  ///< by parameter, of the last collect()
};

}  // namespace compress::prune
