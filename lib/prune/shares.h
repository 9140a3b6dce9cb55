#pragma once

#include "prune/amount.h"
#include "prune/cut.h"

#include <functional>
#include <memory>

namespace compress::prune {

/// An amount that removes a share of the structures of every list, the weakest of them.
class ShareAmount : public Amount {
public:
  std::vector<at::Tensor> keep(const Ranking& ranking) override;

protected:
  virtual double share(const Unit& unit, const Moment& moment) const = 0;
  virtual CountRule rule() const { return {}; }
};

/// An amount that removes what is not stronger than a limit.
class LimitAmount : public Amount {
public:
  std::vector<at::Tensor> keep(const Ranking& ranking) override;

protected:
  virtual double limit(const Graph& graph, const Unit& unit, const Moment& moment) = 0;
};

/// A share drawn at random for this list and moment.
double drawn_share(const Unit& unit, const Moment& moment, double low, double high);

/// A number that depends on list and moment.
using NumberOf = std::function<double(const Unit&, const Moment&)>;
std::unique_ptr<Amount> make_share(NumberOf share, CountRule rule = {});
std::unique_ptr<Amount> make_limit(NumberOf limit);

}  // namespace compress::prune
