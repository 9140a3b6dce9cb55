#pragma once

#include "prune/dependency.h"

#include <string>
#include <vector>

namespace compress::prune {

/// Every weight for itself.
class Independent : public Dependency {
public:
  void bind(const Graph& graph,
            std::vector<std::string>& names,
            const std::vector<std::string>& exact,
            const analysis::Granularity& granularity,
            Problems& problems) override;
  std::vector<Unit> units(const Graph& graph, const Criterion& criterion, const Moment& moment) const override;
  std::map<std::string, at::Tensor> masks(const Graph& graph, const std::vector<at::Tensor>& maps) const override;
  std::vector<std::string> masked(const Graph&) const override { return names_; }
  const std::vector<std::string>& uncoupled() const override { return uncoupled_; }
  Measured measure(const Graph& graph, const std::vector<at::Tensor>& maps) const override;
  void apply(const Changes& changes) override;
  train::Memory save() const override;
  void load(const train::Memory& memory) override;

protected:
  /// Do all weights get the map of one of them?
  virtual bool shares_one_map() const { return false; }
  const std::vector<std::string>& names() const { return names_; }
  Unit unit(const Graph& graph, const std::string& name, const Criterion& criterion, const Moment& moment) const;
  /// A map as a mask of the weight's shape.
  at::Tensor spread(const Graph& graph, const std::string& name, const at::Tensor& map) const;
  /// The structures that the present mask keeps; undefined without a mask.
  at::Tensor present_map(const Graph& graph, const std::string& name) const;
  int64_t structures(const Graph& graph, const std::string& name) const;

private:
  const analysis::Granularity* granularity_ = nullptr;  ///< the composition's
  std::vector<std::string> names_, uncoupled_;
};

}  // namespace compress::prune
