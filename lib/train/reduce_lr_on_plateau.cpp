#include "core/text.h"
#include "train/lr_scheduler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace compress::train {

namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

enum class Better { lower, higher };
enum class Threshold { relative, absolute };

/// The rate falls when the validation metric has stopped to get better.
class ReduceLrOnPlateau final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.choice("mode", better_, {{"min", Better::lower}, {"max", Better::higher}}, "whether less or more is better");
    s.optional("metric", metric_, "validation metric to follow; absent: loss with min, the task's main one with max");
    s.optional("factor", factor_, "the learning rate falls by this", half_open(0, 1));
    s.optional("patience", patience_, "epochs without improvement that are allowed", at_least(0));
    s.optional("threshold", threshold_, "less is no improvement", at_least(0));
    s.choice("threshold_mode", threshold_mode_, {{"rel", Threshold::relative}, {"abs", Threshold::absolute}},
             "the threshold is a share of the best value, or a difference to it");
    s.optional("cooldown", cooldown_, "epochs after a fall in which nothing is counted", at_least(0));
    s.optional("min_lr", min_lr_, "the lowest learning rate", at_least(0));
    s.optional("eps", eps_, "a fall by less does not happen", at_least(0));
  }

  double factor(int64_t, int64_t, double) const override { return scale_; }

  bool follows_metric() const override { return true; }

  void bind(const Task& task) override {
    if (metric_.empty()) metric_ = better_ == Better::lower ? "loss" : task.main_metric();
    std::vector<std::string> known;
    for (const auto& [name, value] : task.meter()->result()) known.push_back(name);
    if (std::ranges::find(known, metric_) == known.end())
      throw request_error("ReduceLROnPlateau: there is no metric '{}' to follow", metric_)
          .hint(did_you_mean(metric_, known))
          .hint("the metrics are " + join_words(known));
    if (metric_ == task.main_metric() && task.higher_is_better() != (better_ == Better::higher))
      throw request_error("ReduceLROnPlateau: the 'mode' for metric '{}' is {}", metric_,
                          task.higher_is_better() ? "max" : "min");
  }

  void observe(const Metrics& validation, double base_lr) override {
    const double value = metric(validation, metric_);
    const bool better = is_better(value);
    if (better) best_ = std::clamp(value, -kLargest, kLargest);  // a checkpoint holds finite numbers only
    bad_epochs_ = better ? 0 : bad_epochs_ + 1;
    if (cooling_ > 0) {
      --cooling_;
      bad_epochs_ = 0;
    }
    if (bad_epochs_ <= patience_) return;
    reduce(base_lr);
    cooling_ = cooldown_;
    bad_epochs_ = 0;
  }

  nlohmann::json save() const override {
    nlohmann::json state{{"scale", scale_}, {"bad_epochs", bad_epochs_}, {"cooling", cooling_}};
    if (best_) state["best"] = *best_;
    return state;
  }
  void load(const nlohmann::json& state) override {
    scale_ = state.at("scale");
    bad_epochs_ = state.at("bad_epochs");
    cooling_ = state.at("cooling");
    best_.reset();
    if (state.contains("best")) best_ = state.at("best").get<double>();
  }

private:
  bool is_better(double value) const {
    if (std::isnan(value)) return false;
    if (!best_) return true;
    const double sign = better_ == Better::lower ? -1 : 1;
    const double margin = threshold_mode_ == Threshold::relative ? *best_ * threshold_ : threshold_;
    return sign * value > sign * (*best_ + sign * margin);
  }

  void reduce(double base_lr) {
    const double lr = base_lr * scale_, next = std::max(lr * factor_, min_lr_);
    if (lr - next > eps_) scale_ = next / base_lr;
  }

  Better better_ = Better::lower;
  std::string metric_;
  double factor_ = 0.1, threshold_ = 1e-4, min_lr_ = 0, eps_ = 1e-8;
  int64_t patience_ = 10, cooldown_ = 0;
  Threshold threshold_mode_ = Threshold::relative;

  double scale_ = 1;
  int64_t bad_epochs_ = 0, cooling_ = 0;
  std::optional<double> best_;
};

}  // namespace

extern const Entry<LrScheduler> reduce_lr_on_plateau{"ReduceLROnPlateau",
                                                     "falls when a validation metric has stopped to improve",
                                                     make_component<LrScheduler, ReduceLrOnPlateau>};

}  // namespace compress::train
