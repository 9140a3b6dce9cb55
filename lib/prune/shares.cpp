#include "prune/shares.h"

#include "core/random.h"

namespace compress::prune {

namespace {

class SharesByFunction final : public ShareAmount {
public:
  SharesByFunction(NumberOf share, CountRule rule) : share_(std::move(share)), rule_(rule) {}

private:
  double share(const Unit& unit, const Moment& moment) const override { return share_(unit, moment); }
  CountRule rule() const override { return rule_; }

  NumberOf share_;
  CountRule rule_;
};

class LimitsByFunction final : public LimitAmount {
public:
  explicit LimitsByFunction(NumberOf limit) : limit_(std::move(limit)) {}

private:
  double limit(const Graph&, const Unit& unit, const Moment& moment) override { return limit_(unit, moment); }

  NumberOf limit_;
};

}  // namespace

std::vector<at::Tensor> ShareAmount::keep(const Ranking& ranking) {
  std::vector<at::Tensor> maps;
  for (const auto& unit : ranking.units) maps.push_back(cut_share(unit.strengths, share(unit, ranking.moment), rule()));
  return maps;
}

std::vector<at::Tensor> LimitAmount::keep(const Ranking& ranking) {
  std::vector<at::Tensor> maps;
  for (const auto& unit : ranking.units)
    maps.push_back(unit.strengths.gt(limit(ranking.graph, unit, ranking.moment)).to(at::kFloat));
  return maps;
}

double drawn_share(const Unit& unit, const Moment& moment, double low, double high) {
  Random random(moment.seed, "pruner level " + unit.name,
                {static_cast<uint64_t>(moment.epoch), static_cast<uint64_t>(moment.step)});
  return random.uniform(low, high);
}

std::unique_ptr<Amount> make_share(NumberOf share, CountRule rule) {
  return std::make_unique<SharesByFunction>(std::move(share), rule);
}

std::unique_ptr<Amount> make_limit(NumberOf limit) {
  return std::make_unique<LimitsByFunction>(std::move(limit));
}

}  // namespace compress::prune
