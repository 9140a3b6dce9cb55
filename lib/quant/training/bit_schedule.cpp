#include "quant/training/bit_schedule.h"

#include "core/log.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::quant {

namespace {

constexpr const char* kOwnBits = "bits_schedule_own";
constexpr const char* kLowered = "bits_schedule_lowered";
constexpr Range kBitRange{.low = 2, .high = 16};

}  // namespace

void BitSchedule::declare(Settings& settings) {
  Field field{.name = "bits_schedule",
              .type = "map of epoch",
              .doc = "from these epochs of training on, grids have at least so many bits ({0: 8, 2: 6, 4: 4}, or "
                     "{bits_weights, bits_activations} in place of a number), and always at least their own"};
  field.read = [this](const Yaml& value) {
    written_ = value;
    epochs_.clear();
    if (value.is_null()) return;
    if (!value.is_map() || value.keys.empty())
      throw request_error("'bits_schedule' must be a map from epochs to bits, not {}", value.kind_name())
          .at(value.place)
          .hint("bits_schedule: {0: 8, 2: 6, 4: 4}");
    for (size_t i = 0; i < value.keys.size(); ++i) {
      auto key = Yaml::scalar(value.keys[i]);
      key.place = value.key_places[i];
      const auto epoch = from_yaml<int64_t>(key, "epoch of bits_schedule", at_least(0));
      epochs_[epoch] = read_floor(value.items[i]);
    }
  };
  field.print = [this] { return written_; };
  field.schema = [] { return nlohmann::json{{"type", "object"}}; };
  settings.custom(std::move(field));
  settings.optional(
      "initial_bits", initial_bits_,
      "bits that training begins with; each active epoch of the policy has 'bits_step' fewer, down to the "
      "grids' own",
      kBitRange);
  settings.optional("bits_step", step_, "bits fewer at each active epoch, with initial_bits; absent: 1", at_least(1));
}

Precision BitSchedule::read_floor(const Yaml& value) {
  if (!value.is_map()) {
    const auto bits = from_yaml<int64_t>(value, "bits of bits_schedule", kBitRange);
    return {bits, bits};
  }
  Precision floor{0, 0};
  Settings settings;
  settings.optional("bits_weights", floor.weights, "of weights", kBitRange);
  settings.optional("bits_activations", floor.values, "of values between operators", kBitRange);
  settings.read(value, "bits_schedule");
  return floor;
}

void BitSchedule::check(const Precision& own) const {
  if (step_ && !initial_bits_)
    throw request_error("'bits_step' says how fast 'initial_bits' come down, and they are not given")
        .hint("initial_bits: 8");
  if (initial_bits_ && !epochs_.empty())
    throw request_error("'bits_schedule' and 'initial_bits' exclude each other")
        .hint("'initial_bits' lowers at every active epoch, 'bits_schedule' at the epochs it names");
  if (initial_bits_ && *initial_bits_ <= std::min(own.weights, own.values))
    throw request_error("'initial_bits' is {}, and {}", *initial_bits_, ends_with(own))
        .hint("training begins with more bits than it ends with: bits_weights: 4 with initial_bits: 8");
  const auto above = [&](const auto& entry) {
    return entry.second.weights > own.weights || entry.second.values > own.values;
  };
  if (!epochs_.empty() && std::ranges::none_of(epochs_, above))
    throw request_error("'bits_schedule' changes nothing: {}", ends_with(own))
        .hint("it holds bits above those that training ends with: bits_weights: 4 with bits_schedule: {0: 8, 2: 6, 4: "
              "4}");
}

void BitSchedule::check_epochs(int64_t last) const {
  if (!epochs_.empty()) check_epoch("bits_schedule", epochs_.rbegin()->first, last);
}

Precision BitSchedule::floor_at(int64_t epoch) const {
  if (initial_bits_) {
    const auto bits = *initial_bits_ - lowered_ * step_.value_or(1);
    return {bits, bits};
  }
  const auto behind = epochs_.upper_bound(epoch);
  return behind == epochs_.begin() ? Precision{0, 0} : std::prev(behind)->second;
}

void BitSchedule::on_epoch_begin(train::State& state) {
  if (!given()) return;
  if (!floor_.noted()) floor_.note(state.graph);
  ++lowered_;
  const auto floor = floor_at(state.epoch);
  const auto changed = floor_.set(state.graph, floor.weights, floor.values);
  if (!changed.empty())
    log::info("[quantizer] epoch {}: {} grid(s) get other bits (at least {} for weights, {} for values)", state.epoch,
              changed.size(), floor.weights, floor.values);
}

std::string BitSchedule::unmet(const Graph& graph) const {
  return given() && floor_.holds(graph) ? "the bits were not lowered to those asked for: the policy ended before" : "";
}

void BitSchedule::save(train::Memory& memory) const {
  if (!given()) return;
  memory.values[kOwnBits] = floor_.save();
  memory.values[kLowered] = lowered_;
}

void BitSchedule::load(const train::Memory& memory) {
  if (!memory.values.contains(kOwnBits)) return;
  floor_.load(memory.values.at(kOwnBits));
  lowered_ = memory.values.at(kLowered).get<int64_t>();
}

}  // namespace compress::quant
