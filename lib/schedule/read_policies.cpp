#include "core/log.h"
#include "core/text.h"
#include "schedule/kinds.h"

#include <algorithm>
#include <optional>

namespace compress::schedule {

namespace {

constexpr double kMostEpochs = 1e6;

/// The keys of a policy that name an instance.
std::vector<std::string> instance_keys() {
  std::vector<std::string> keys;
  for (const auto& kind : kinds()) keys.emplace_back(kind.name);
  keys.emplace_back("extension");
  return keys;
}

int64_t integer(const Yaml& policy, std::string_view key, int64_t otherwise, double lowest) {
  const auto* value = policy.find(key);
  return value ? from_yaml<int64_t>(*value, key, in(lowest, kMostEpochs)) : otherwise;
}

/// "training has 8 epochs, the last is 7".
Error beyond_training(const Yaml& policy, std::string_view key, int64_t epoch, int64_t epochs) {
  const auto* value = policy.find(key);
  const auto training = epochs == 0   ? std::string("no epoch (training.epochs is 0)")
                        : epochs == 1 ? std::string("one epoch, number 0")
                                      : fmt::format("{} epochs, the last is {}", epochs, epochs - 1);
  return request_error("epoch {} never comes: training has {}", epoch, training)
      .at(value ? value->place : policy.place)
      .hint(epochs == 0 ? "raise training.epochs" : "raise training.epochs, or start the policy earlier");
}

Window listed_window(const Yaml& policy, std::optional<int64_t> epochs) {
  const auto& list = *policy.find("epochs");
  for (const auto* key : {"starting_epoch", "ending_epoch", "frequency"})
    if (policy.find(key))
      throw request_error("'epochs' and '{}' exclude each other", key)
          .at(policy.key_place(key))
          .hint("either a list of epochs, or starting_epoch, ending_epoch and frequency");
  const auto window = Window::list(from_yaml<std::vector<int64_t>>(list, "epochs", in(0, kMostEpochs)));
  if (window.epochs.empty()) throw request_error("'epochs' is empty: the policy would never be active").at(list.place);
  if (epochs && window.last_epoch() >= *epochs) throw beyond_training(policy, "epochs", window.last_epoch(), *epochs);
  return window;
}

Window range_window(const Yaml& policy, std::optional<int64_t> epochs) {
  for (const auto* key : {"starting_epoch", "ending_epoch"})
    if (!policy.find(key))
      throw request_error("the policy lacks '{}'", key).at(policy.place).hint("or list its epochs: epochs: [0, 5, 10]");
  const auto start = integer(policy, "starting_epoch", 0, 0), end = integer(policy, "ending_epoch", 0, 1);
  const auto frequency = integer(policy, "frequency", 1, 1);
  if (end <= start)
    throw request_error("'ending_epoch' ({}) must be above 'starting_epoch' ({}); it is exclusive", end, start)
        .at(policy.find("ending_epoch")->place);
  if (frequency > end - start)
    throw request_error("'frequency' ({}) is larger than the policy's {} epochs", frequency, end - start)
        .at(policy.find("frequency")->place);
  if (epochs && start >= *epochs) throw beyond_training(policy, "starting_epoch", start, *epochs);
  auto window = Window::range(start, end, frequency);
  if (epochs && window.last_epoch() >= *epochs)
    log::warning("{}: 'ending_epoch' ({}) lies behind the end of training ({} epochs): the policy is cut short",
                 policy.find("ending_epoch")->place.str(), end, *epochs);
  return window;
}

/// The kind of a policy by its one key that names an instance; null when there is none.
const Kind* kind_of(const Yaml& policy) {
  const Kind* kind = nullptr;
  std::string_view first;
  for (const auto& key : policy.keys) {
    const auto* found = find_kind(key);
    if (!found) continue;
    if (kind)
      throw request_error("a policy has one instance; here are '{}' and '{}'", first, key)
          .at(policy.key_place(key))
          .hint("write two policies");
    kind = found;
    first = key;
  }
  return kind;
}

/// True when there are none.
bool refuse_unknown_keys(const Yaml& policy, Problems& problems) {
  auto known = instance_keys();
  known.insert(known.end(), {"epochs", "starting_epoch", "ending_epoch", "frequency"});
  bool good = true;
  for (const auto& key : policy.keys) {
    if (std::ranges::find(known, key) != known.end()) continue;
    good = false;
    problems.add(
        request_error("unknown key '{}' in a policy", key).at(policy.key_place(key)).hint(did_you_mean(key, known)));
  }
  return good;
}

/// Instance and arguments: the value behind "pruner:".
void read_reference(const Yaml& policy, const Kind& kind, Instances& instances, PolicyEntry& entry) {
  const auto* reference = policy.find(kind.name);
  if (!reference) reference = policy.find("extension");
  Settings settings;
  settings.required("instance_name", entry.instance, fmt::format("one of '{}'", kind.section));
  entry.args = Yaml::map();
  entry.args.place = reference->place;
  settings.optional("args", entry.args, "arguments of the policy");
  settings.read(*reference, fmt::format("a {} policy", kind.name));
  auto* instance = instances.find(kind, entry.instance);
  const auto place = reference->find("instance_name")->place;
  if (!instance)
    throw request_error("there is no {} '{}'", kind.name, entry.instance)
        .at(place)
        .hint(did_you_mean(entry.instance, instances.names(kind)));
  instance->used = true;
  entry.component = *instance->entry;
  const bool takes_arguments = kind.name == "pruner" || kind.name == "regularizer";
  if (!takes_arguments && !(entry.args.is_null() || entry.args.items.empty()))
    throw request_error("the policy of a {} takes no 'args'", kind.name)
        .at(reference->key_place("args"))
        .hint("arguments belong to the instance, beside 'class'");
}

void read_policy(const Yaml& policy,
                 Instances& instances,
                 std::optional<int64_t> epochs,
                 Problems& problems,
                 std::vector<PolicyEntry>& entries) {
  if (!policy.is_map()) throw request_error("a policy must be a map, not {}", policy.kind_name()).at(policy.place);
  const bool known = refuse_unknown_keys(policy, problems);
  const auto* kind = kind_of(policy);
  if (!kind && !known) return;  // the unknown key may be the one that is missing
  if (!kind)
    throw request_error("the policy names no instance")
        .at(policy.place)
        .hint("one of " + join_words(instance_keys(), "or") + " is missing");
  PolicyEntry entry{.kind = std::string(kind->name), .place = policy.place};
  const bool found = problems.capture([&] { read_reference(policy, *kind, instances, entry); });
  const bool timed = problems.capture([&] { entry.window = read_window(policy, *kind, epochs); });
  if (!found || !timed) return;
  problems.capture([&] {
    entry.class_name = class_of(entry.component, fmt::format("{} '{}'", kind->name, entry.instance));
    kind->make(entry);
    entries.push_back(std::move(entry));
  });
}

}  // namespace

Window read_window(const Yaml& policy, const Kind& kind, std::optional<int64_t> epochs) {
  if (policy.find("epochs")) return listed_window(policy, epochs);
  for (const auto* key : {"starting_epoch", "ending_epoch", "frequency"})
    if (policy.find(key)) return range_window(policy, epochs);
  if (kind.may_run_at_end) return {};
  if (kind.may_run_before) return {.before_training = true};
  throw request_error("the policy of a {} needs epochs", kind.name)
      .at(policy.place)
      .hint("starting_epoch, ending_epoch and frequency, or a list: epochs: [0, 5]");
}

std::vector<PolicyEntry>
read_policies(const Yaml& section, Instances& instances, std::optional<int64_t> epochs, Problems& problems) {
  std::vector<PolicyEntry> entries;
  if (section.is_null()) return entries;
  if (!section.is_sequence()) {
    problems.add(request_error("'policies' must be a list, not {}", section.kind_name()).at(section.place));
    return entries;
  }
  for (const auto& policy : section.items)
    problems.capture([&] { read_policy(policy, instances, epochs, problems, entries); });
  return entries;
}

}  // namespace compress::schedule
