#pragma once

#include "prune/composition.h"
#include "prune/cut.h"
#include "prune/gradual.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace compress::prune {

/// How many structures a ranked pruner of Distiller's removes.
enum class RankedShare {
  fixed,    ///< `desired_sparsity`
  gradual,  ///< `initial_sparsity` to `final_sparsity`
  drawn     ///< at random out of `sparsity_range`, anew for every mask
};

/// What one of Distiller's ranked pruners is.
struct RankedForm {
  std::string_view criterion;  ///< of the registry, with default arguments
  RankedShare share = RankedShare::fixed;
  bool filters_only = false;  ///< `group_type` is Filters or 3D
  bool by_chance = false;     ///< the share is the probability of each structure to go, and no number of them
};

/// Distiller's pruners of ranked structures: their arguments, and the parts that they mean.
class RankedPruner : public ComposedPruner {
public:
  explicit RankedPruner(RankedForm form) : form_(form) {}
  void declare(Settings& settings) override;
  void check(const Moment& moment) const override;

protected:
  virtual std::unique_ptr<Criterion> criterion() const { return criteria().make(form_.criterion); }
  Parts assemble() const override;
  Selection select(const Graph& graph, Problems& problems) const override;

private:
  enum class Group { filters, channels, rows, blocks };
  enum class Follow { none, leader };

  void declare_share(Settings& settings);
  std::unique_ptr<analysis::Granularity> granularity() const;
  std::unique_ptr<Amount> amount() const;

  RankedForm form_;
  double desired_ = 0;
  Gradual gradual_{.initial_name = "initial_sparsity", .final_name = "final_sparsity"};
  std::vector<double> range_;
  Group group_ = Group::filters;
  Follow follow_ = Follow::none;
  CountRule rule_;
  double noise_ = 0;
  std::vector<std::string> words_;
  Yaml kwargs_;
};

}  // namespace compress::prune
