// One target for all weights: structures are ranked together, and as many of the weakest go as the target needs. How
// many that is follows by bisection, since what a structure costs depends on what else has gone.
#include "prune/amount.h"
#include "prune/cut.h"

#include <ATen/ops/cat.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace compress::prune {

namespace {

/// Bisections at most; 2^14 steps between nothing and everything.
constexpr int kBisections = 14;
/// Sums of shares that differ by less are the same.
constexpr double kRounding = 1e-9;

/// All structures in one list, the weakest first; the strongest of each unit of several is not in it.
class GlobalOrder {
public:
  GlobalOrder(const std::vector<Unit>& units, const std::function<at::Tensor(const at::Tensor&)>& comparable) {
    std::vector<at::Tensor> strengths;
    for (const auto& unit : units) {
      at::Tensor own = comparable(unit.strengths.detach()).to(at::kFloat).clone();
      if (own.numel() > 1) {
        const int64_t strongest = own.numel() - 1 - own.flip(0).argmax().item<int64_t>();
        own.narrow(0, strongest, 1).fill_(std::numeric_limits<float>::infinity());
        --removable_;
      }
      removable_ += own.numel();
      sizes_.push_back(own.numel());
      strengths.push_back(own);
    }
    strengths_ = at::cat(strengths);
  }

  int64_t removable() const { return removable_; }

  /// The maps without the `count` weakest.
  std::vector<at::Tensor> without(int64_t count) const {
    const at::Tensor kept = cut_weakest(strengths_, count);
    std::vector<at::Tensor> maps;
    int64_t begin = 0;
    for (const int64_t size : sizes_) {
      maps.push_back(kept.slice(0, begin, begin + size));
      begin += size;
    }
    return maps;
  }

private:
  std::vector<int64_t> sizes_;
  at::Tensor strengths_;
  int64_t removable_ = 0;
};

class Global final : public Amount {
public:
  void declare(Settings& settings) override {
    settings.choice(
        "of", of_,
        {{"sparsity", Of::sparsity}, {"macs", Of::macs}, {"parameters", Of::parameters}, {"bytes", Of::bytes}},
        "what is counted: the pruned weights that are zero, or the network's multiply-accumulates, "
        "parameters or bytes",
        true);
    settings.required("remove", remove_, "the share of it that goes: 0.6 leaves 40 %", half_open(0, 1));
    settings.choice("schedule", schedule_, {{"once", When::once}, {"agp", When::agp}},
                    "once: all in the first active epoch; agp: along a cubic curve from `initial` to `remove`");
    settings.optional("initial", initial_, "with agp: the share that goes in the first active epoch", half_open(0, 1));
    settings.choice("normalize", scale_, {{"none", Scale::none}, {"mean", Scale::mean}, {"norm", Scale::norm}},
                    "before weights are compared: divide the strengths of each weight or group by their mean or by "
                    "their Euclidean norm");
  }

  void check(const Moment& moment) const override {
    if (schedule_ == When::once) {
      if (initial_ > 0) throw request_error("'initial' has a meaning with 'schedule: agp' only");
      return;
    }
    if (initial_ >= remove_) throw request_error("'remove' ({}) must be above 'initial' ({})", remove_, initial_);
    if (moment.count < 2)
      throw request_error("'schedule: agp' needs at least two active epochs, not {}", moment.count)
          .hint("widen the policy's epochs, or write 'schedule: once'");
  }

  std::vector<at::Tensor> keep(const Ranking& ranking) override {
    if (ranking.units.empty()) return {};
    const GlobalOrder order(ranking.units, [this](const at::Tensor& strengths) { return comparable(strengths); });
    double weights = 0;
    for (const auto& unit : ranking.units) weights += unit.elements * static_cast<double>(unit.strengths.numel());
    // Of single weights that count alike the number follows at once.
    const auto is_single = [](const Unit& unit) { return unit.elements == 1; };
    if (of_ == Of::sparsity && std::ranges::all_of(ranking.units, is_single)) {
      if (!whole_) whole_ = weights;
      const double kept = *whole_ * (1 - share(ranking.moment)) * (1 + kRounding);
      const auto count = static_cast<int64_t>(std::ceil(weights - kept));
      if (count <= order.removable()) return order.without(std::max<int64_t>(count, 0));
    }
    const auto left = [&](int64_t count) { return this->left(ranking.measure(order.without(count)), weights); };
    const double now = left(0);
    if (!whole_) whole_ = of_ == Of::sparsity ? weights : now;
    const double target = *whole_ * (1 - share(ranking.moment)) * (1 + kRounding);
    int64_t low = 0, high = order.removable();
    if (now <= target) return order.without(0);
    if (const double least = left(high); least > target) throw out_of_reach(least);
    for (int i = 0; i < kBisections && high - low > 1; ++i) {
      const int64_t middle = low + (high - low) / 2;
      (left(middle) <= target ? high : low) = middle;
    }
    return order.without(high);
  }

  train::Memory save() const override {
    train::Memory memory{.values = nlohmann::json::object()};
    if (whole_) memory.values["whole"] = *whole_;
    return memory;
  }
  void load(const train::Memory& memory) override {
    whole_.reset();
    if (memory.values.contains("whole")) whole_ = memory.values["whole"].get<double>();
  }

private:
  enum class Of { sparsity, macs, parameters, bytes };
  enum class When { once, agp };
  enum class Scale { none, mean, norm };

  double share(const Moment& moment) const {
    if (schedule_ == When::once) return remove_;
    const double done = static_cast<double>(moment.index) / static_cast<double>(moment.count - 1);
    return remove_ + (initial_ - remove_) * std::pow(1 - done, 3);
  }

  at::Tensor comparable(const at::Tensor& strengths) const {
    if (scale_ == Scale::none) return strengths;
    const at::Tensor scale = scale_ == Scale::mean ? strengths.abs().mean() : strengths.norm();
    return strengths.div(scale.clamp_min(std::numeric_limits<float>::min()));
  }

  double left(const Measured& measured, double weights) const {
    switch (of_) {
    case Of::sparsity: return (1 - measured.sparsity) * weights;
    case Of::macs: return measured.macs;
    case Of::parameters: return measured.parameters;
    case Of::bytes: return measured.bytes;
    }
    return 0;
  }

  std::string_view word() const {
    constexpr std::string_view kWords[] = {"weights", "MACs", "parameters", "bytes"};
    return kWords[static_cast<size_t>(of_)];
  }

  Error out_of_reach(double least) const {
    const double possible = std::floor((1 - least / *whole_) * 1000) / 1000;
    return request_error(
               "'remove: {}' cannot be reached: when everything goes that may go, {:.1f} % of the {} are left", remove_,
               100 * least / *whole_, word())
        .hint(fmt::format("'remove' can be {} at most; or select more weights, or lower 'min_channels'", possible));
  }

  Of of_ = Of::sparsity;
  When schedule_ = When::once;
  Scale scale_ = Scale::none;
  double remove_ = 0, initial_ = 0;
  std::optional<double> whole_;  ///< what the network was when masks were first set
};

}  // namespace

extern const Entry<Amount> global_amount;
const Entry<Amount> global_amount{"global",
                                  "one target over all weights: a share of sparsity, MACs, parameters or bytes",
                                  make_component<Amount, Global>};

}  // namespace compress::prune
