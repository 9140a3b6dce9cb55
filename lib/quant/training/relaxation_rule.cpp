#include "quant/training/relaxation_rule.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace compress::quant {

namespace {

constexpr int64_t kMostSlowings = 3;

}  // namespace

nlohmann::json optional_number(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

std::optional<double> number_or_nothing(const nlohmann::json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

RelaxationMachine::RelaxationMachine(const RelaxationRule& rule, Precision first) : rule_(rule), precision_(first) {}

void RelaxationMachine::forget() {
  loss_.reset();
  best_.reset();
  improvements_.clear();
  stale_ = stale_unbounded_ = slowed_ = 0;
}

double RelaxationMachine::mean() const {
  return std::accumulate(improvements_.begin(), improvements_.end(), 0.0) / static_cast<double>(improvements_.size());
}

double RelaxationMachine::deviation() const {
  double squares = 0;
  for (const double x : improvements_) squares += (x - mean()) * (x - mean());
  return std::sqrt(squares / static_cast<double>(improvements_.size()));
}

bool RelaxationMachine::stale(double loss) {
  const bool flat = mean() < rule_.delta_loss_less_than && deviation() < rule_.delta_loss_running_std_stale;
  stale_ = flat && loss < rule_.abs_loss_stale ? stale_ + 1 : 0;
  stale_unbounded_ = flat ? stale_unbounded_ + 1 : 0;
  return stale_ >= rule_.for_epochs || stale_unbounded_ >= rule_.for_epochs_no_abs_bound;
}

bool RelaxationMachine::diverges(double loss) const {
  return loss > rule_.divergence_abs_threshold || (!improvements_.empty() && mean() < 0);
}

DivergencePolicy RelaxationMachine::divergence_policy() const {
  return point_ > 0 ? rule_.custom_scaler[static_cast<size_t>(point_ - 1)].divergence_policy : rule_.divergence_policy;
}

void RelaxationMachine::lower(Decision& decision, bool can_lower) {
  auto next = precision_;
  if (!rule_.custom_scaler.empty()) {
    ended_ = point_ == std::ssize(rule_.custom_scaler);
    if (ended_) return;
    const auto& point = rule_.custom_scaler[static_cast<size_t>(point_++)];
    next = point.bits;
    decision.lr = point.lr;
  } else {
    const auto lowered = [](int64_t bits, int64_t step, int64_t stop) {
      return std::max(bits + step, std::min(bits, stop));
    };
    if (rule_.scale_weights) next.weights = lowered(next.weights, rule_.step.weights, rule_.stop.weights);
    if (rule_.scale_values) next.values = lowered(next.values, rule_.step.values, rule_.stop.values);
    ended_ = next == precision_ || !can_lower;
    if (ended_) return;
    if (rule_.scale_lr) decision.lr_factor = rule_.lr_scaler;
  }
  decision.changed = next != precision_;
  precision_ = next;
  forget();
}

RelaxationMachine::Decision RelaxationMachine::diverge(bool can_lower) {
  Decision decision{.reload_best = best_.has_value()};
  if (divergence_policy() == DivergencePolicy::change_precision || slowed_ == kMostSlowings) {
    lower(decision, can_lower);
    return decision;
  }
  ++slowed_;
  decision.lr_factor = rule_.divergence_lr_scaler;
  loss_ = best_;
  improvements_.clear();
  stale_ = stale_unbounded_ = 0;
  return decision;
}

RelaxationMachine::Decision RelaxationMachine::begin_epoch(int64_t epoch) {
  const auto regime = rule_.regimes.find(epoch);
  if (regime == rule_.regimes.end() || regime->second == precision_) return {};
  precision_ = regime->second;
  forget();
  return {.changed = true};
}

RelaxationMachine::Decision RelaxationMachine::end_epoch(double loss, bool can_lower) {
  if (ended_) return {};
  if (loss_) improvements_.push_back(*loss_ - loss);
  while (std::ssize(improvements_) > rule_.running_avg_memory) improvements_.pop_front();
  loss_ = loss;
  if (diverges(loss)) return diverge(can_lower);
  Decision decision{.keep_as_best = !best_ || loss <= *best_};
  if (decision.keep_as_best) best_ = loss;
  if (!improvements_.empty() && stale(loss)) lower(decision, can_lower);
  return decision;
}

nlohmann::json RelaxationMachine::save() const {
  return {{"bits", {precision_.weights, precision_.values}},
          {"loss", optional_number(loss_)},
          {"best", optional_number(best_)},
          {"improvements", improvements_},
          {"counters", {stale_, stale_unbounded_, slowed_, point_}},
          {"ended", ended_}};
}

void RelaxationMachine::load(const nlohmann::json& values) {
  precision_ = {values.at("bits").at(0).get<int64_t>(), values.at("bits").at(1).get<int64_t>()};
  loss_ = number_or_nothing(values.at("loss"));
  best_ = number_or_nothing(values.at("best"));
  improvements_ = values.at("improvements").get<std::deque<double>>();
  const auto& counters = values.at("counters");
  stale_ = counters.at(0).get<int64_t>();
  stale_unbounded_ = counters.at(1).get<int64_t>();
  slowed_ = counters.at(2).get<int64_t>();
  point_ = counters.at(3).get<int64_t>();
  ended_ = values.at("ended").get<bool>();
}

namespace {

constexpr Range kPrecisionRange{.low = 2, .high = 16};
constexpr Range kStepRange{.low = -14, .high = -1};

std::vector<std::pair<std::string, DivergencePolicy>> divergence_words() {
  return {{"change_precision", DivergencePolicy::change_precision}, {"lower_lr", DivergencePolicy::lower_lr}};
}

Precision read_precision(const Yaml& value, const std::string& owner) {
  Precision bits;
  Settings settings;
  settings.required("W_bits", bits.weights, "of weights", kPrecisionRange);
  settings.required("x_bits", bits.values, "of values between operators", kPrecisionRange);
  settings.read(value, owner);
  return bits;
}

RelaxationRule::Point read_point(const Yaml& value) {
  RelaxationRule::Point point;
  Settings settings;
  settings.required("W_bits", point.bits.weights, "of weights", kPrecisionRange);
  settings.required("x_bits", point.bits.values, "of values between operators", kPrecisionRange);
  settings.required("lr", point.lr, "learning rate", above(0));
  settings.choice("divergence_policy", point.divergence_policy, divergence_words(), "what a divergence there leads to");
  settings.read(value, "an entry of 'custom_scaler'");
  return point;
}

/// Both keys W_KEY and x_KEY, or one for both.
void declare_pair(Settings& settings, const std::string& key, Precision& pair, const std::string& doc, Range range) {
  Field both{.name = key, .type = "integer", .doc = doc + ", of weights and values", .range = range.str()};
  both.read = [&pair, key, range](const Yaml& value) {
    pair.weights = pair.values = from_yaml<int64_t>(value, key, range);
  };
  both.print = [&pair] { return Yaml::scalar(std::to_string(pair.values)); };
  both.schema = [] { return nlohmann::json{{"type", "integer"}}; };
  settings.custom(std::move(both));
  settings.optional("W_" + key, pair.weights, doc + ", of weights alone", range);
  settings.optional("x_" + key, pair.values, doc + ", of values alone", range);
}

Field regimes_field(RelaxationRule& rule) {
  Field field{
      .name = "regimes", .type = "map of epoch", .doc = "bits forced from an epoch on: {10: {W_bits: 6, x_bits: 8}}"};
  field.read = [&rule](const Yaml& value) {
    rule.regimes.clear();
    if (!value.is_map()) throw request_error("'regimes' must be a map from epochs to bits").at(value.place);
    for (size_t i = 0; i < value.keys.size(); ++i) {
      auto key = Yaml::scalar(value.keys[i]);
      key.place = value.key_places[i];
      rule.regimes[from_yaml<int64_t>(key, "epoch of regimes", at_least(0))] =
          read_precision(value.items[i], "an entry of 'regimes'");
    }
  };
  field.print = [&rule] {
    auto map = Yaml::map();
    for (const auto& [epoch, bits] : rule.regimes) {
      auto entry = Yaml::map();
      entry.set("W_bits", Yaml::scalar(std::to_string(bits.weights)));
      entry.set("x_bits", Yaml::scalar(std::to_string(bits.values)));
      map.set(std::to_string(epoch), std::move(entry));
    }
    return map;
  };
  field.schema = [] { return nlohmann::json{{"type", "object"}}; };
  return field;
}

Field custom_scaler_field(RelaxationRule& rule) {
  Field field{.name = "custom_scaler",
              .type = "list of maps",
              .doc = "the points to lower to, in place of the scalers: [{W_bits, x_bits, lr, divergence_policy}, ...]"};
  field.read = [&rule](const Yaml& value) {
    rule.custom_scaler.clear();
    if (!value.is_sequence()) throw request_error("'custom_scaler' must be a list").at(value.place);
    for (const auto& item : value.items) rule.custom_scaler.push_back(read_point(item));
  };
  field.print = [&rule] {
    auto list = Yaml::sequence();
    for (const auto& point : rule.custom_scaler) {
      auto entry = Yaml::map();
      entry.set("W_bits", Yaml::scalar(std::to_string(point.bits.weights)));
      entry.set("x_bits", Yaml::scalar(std::to_string(point.bits.values)));
      entry.set("lr", Yaml::scalar(fmt::format("{}", point.lr)));
      entry.set("divergence_policy",
                Yaml::scalar(divergence_words()[static_cast<size_t>(point.divergence_policy)].first));
      list.items.push_back(std::move(entry));
    }
    return list;
  };
  field.schema = [] { return nlohmann::json{{"type", "array"}, {"items", {{"type", "object"}}}}; };
  return field;
}

}  // namespace

void declare_rule(Settings& s, RelaxationRule& rule) {
  s.optional("for_epochs", rule.for_epochs,
             "stale epochs in a row, with a loss below abs_loss_stale, that lower the bits", at_least(1));
  s.optional("for_epochs_no_abs_bound", rule.for_epochs_no_abs_bound, "the same, whatever the loss is", at_least(1));
  s.optional("delta_loss_less_than", rule.delta_loss_less_than, "stale: the mean improvement of the loss is less");
  s.optional("running_avg_memory", rule.running_avg_memory, "epochs that the mean is taken over", at_least(1));
  s.optional("delta_loss_running_std_stale", rule.delta_loss_running_std_stale,
             "stale: the standard deviation of the improvements is less", at_least(0));
  s.optional("abs_loss_stale", rule.abs_loss_stale, "stale for for_epochs: the loss itself is less");
  s.optional("scale_lr", rule.scale_lr, "lowering the bits multiplies the learning rate by lr_scaler");
  s.optional("lr_scaler", rule.lr_scaler, "factor on the learning rate when bits are lowered", above(0));
  s.optional("divergence_abs_threshold", rule.divergence_abs_threshold, "a loss above it diverges");
  declare_pair(s, "bit_scaler", rule.step, "bits more (hence negative) at each lowering", kStepRange);
  declare_pair(s, "bit_stop_condition", rule.stop, "bits to come down to", kPrecisionRange);
  s.optional("scale_W", rule.scale_weights, "the bits of weights are lowered");
  s.optional("scale_x", rule.scale_values, "the bits of values are lowered");
  s.custom(custom_scaler_field(rule));
  s.custom(regimes_field(rule));
  s.choice("divergence_policy", rule.divergence_policy, divergence_words(),
           "a divergence brings back the best weights and lowers the bits, or the learning rate (three times at most)");
  s.optional("divergence_lr_scaler", rule.divergence_lr_scaler, "factor on the learning rate at a divergence",
             Range{.low = 0, .high = 1, .open_low = true});
}

}  // namespace compress::quant
