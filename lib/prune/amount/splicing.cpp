// Dynamic network surgery (Guo et al. 2016, arXiv 1608.04493): between two thresholds a weight stays what it was.
#include "prune/amount.h"
#include "prune/once.h"
#include "prune/per_weight.h"

#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

class Splicing final : public Amount {
public:
  void declare(Settings& settings) override {
    sensitivity_.declare(settings, "sensitivity", "s of the thresholds (mean + s * standard deviation) * multiplier",
                         at_least(0));
    settings.required("low_thresh_mult", low_, "multiplier of the threshold below which structures go", at_least(0));
    settings.required("hi_thresh_mult", high_, "multiplier of the threshold from which on they come back", at_least(0));
    settings.optional("sensitivity_multiplier", growth_, "above 0: s grows by this share of itself each epoch",
                      at_least(0));
  }
  void check(const Moment&) const override {
    if (high_ < low_)
      throw request_error("'hi_thresh_mult' ({}) must not be below 'low_thresh_mult' ({})", high_, low_);
  }
  void bind(const Graph& graph, const std::vector<std::string>& weights, Problems& problems) override {
    sensitivity_.bind(graph, weights, problems);
  }

  std::vector<at::Tensor> keep(const Ranking& ranking) override {
    std::vector<at::Tensor> maps;
    for (const auto& unit : ranking.units) {
      const auto& first = first_.of(unit.name, [&] { return measure(unit.strengths); });
      const double base = first[0] + first[1] * sensitivity(unit.name, ranking.moment);
      const auto before = unit.map.defined() ? unit.map.to(unit.strengths.device(), at::kFloat)
                                             : at::ones_like(unit.strengths, at::kFloat);
      const auto map = at::where(unit.strengths.ge(base * high_), at::ones_like(before), before);
      maps.push_back(map.masked_fill(unit.strengths.lt(base * low_), 0));
    }
    return maps;
  }

  void apply(const Changes& changes) override {
    sensitivity_.apply(changes);
    first_.apply(changes);
  }
  train::Memory save() const override {
    return {.values = {{"sensitivity", sensitivity_.save()}, {"first", first_.save()}}, .tensors = {}};
  }
  void load(const train::Memory& memory) override {
    sensitivity_.load(memory.values.at("sensitivity"));
    first_.load(memory.values.at("first"));
  }

private:
  static MeasuredOnce::Numbers measure(const at::Tensor& strengths) {
    return {strengths.mean().item<double>(), strengths.numel() > 1 ? strengths.std().item<double>() : 0};
  }
  double sensitivity(const std::string& name, const Moment& moment) const {
    return sensitivity_.of(name) * (static_cast<double>(moment.epoch - moment.first_epoch) * growth_ + 1);
  }

  PerWeight sensitivity_;
  double low_ = 0, high_ = 0, growth_ = 0;
  MeasuredOnce first_;  ///< mean and standard deviation of the strengths
};

}  // namespace

extern const Entry<Amount> splicing_amount;
const Entry<Amount> splicing_amount{
    "splicing", "two thresholds: below the lower one structures go, above the higher one they come back (DNS)",
    make_component<Amount, Splicing>};

}  // namespace compress::prune
