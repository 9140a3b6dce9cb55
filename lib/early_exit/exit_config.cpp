#include "early_exit/exit_config.h"

#include "core/text.h"

#include <algorithm>
#include <cctype>

namespace compress::early_exit {

namespace {

/// The name becomes part of the names of nodes, parameters, outputs and metrics.
void check_name(const std::string& name, const Place& place) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  if (name.empty() || !std::ranges::all_of(name, plain))
    throw request_error("the exit's name '{}' may have letters, digits and '_' only", name).at(place);
  if (name == kFinal) throw request_error("an exit cannot be called '{}': the network's own output is", name).at(place);
}

ExitConfig read_exit(const std::string& name, const Yaml& entry, const Place& place) {
  check_name(name, place);
  if (!entry.is_map())
    throw request_error("exit '{}' must be a map with 'value', 'loss_weight' and 'threshold', not {}", name,
                        entry.kind_name())
        .at(entry.place);
  ExitConfig config{.name = name, .entry = entry};
  Settings settings;
  config.declare(settings);
  settings.read(entry, fmt::format("exit '{}'", name));
  if (config.value.empty() == config.output.empty())
    throw request_error("exit '{}' needs one of 'value' and 'output'", name)
        .at(entry.place)
        .hint("value: where a new branch begins; output: of a network that has branches of its own");
  if (!config.output.empty() && (config.kernel || config.hidden))
    throw request_error("exit '{}' is the network's own branch, '{}', whose layers are given", name, config.output)
        .at(entry.place)
        .hint("'kernel' and 'hidden' go with 'value'");
  return config;
}

}  // namespace

void ExitConfig::declare(Settings& settings) {
  settings.optional("value", value,
                    "value of the graph that the branch begins with: the name of the node that makes it");
  settings.optional(
      "output", output,
      "instead: an output that the network has already, of a branch of its own (resnet20_cifar_earlyexit)");
  settings.optional("kernel", kernel, "side of the windows over which a map is averaged; absent: the whole map",
                    in(1, 1e4));
  settings.optional("hidden", hidden, "size of a linear layer with ReLU before the classifier; absent: no such layer",
                    in(1, 1e6));
  settings.required("loss_weight", loss_weight,
                    "share of the exit's loss in the loss of training; the final output has the rest of 1",
                    half_open(0, 1));
  settings.required(
      "threshold", threshold,
      "a sample leaves here when the normalised entropy of the softmax is below this; 0: never, 1: always", in(0, 1));
}

double final_loss_weight(const std::vector<double>& loss_weights) {
  double left = 1;
  for (const auto weight : loss_weights) left -= weight;
  // A sum of 1 in decimals need not be one in binary.
  if (left < 1e-9)
    throw request_error("the 'loss_weight's of the exits add up to {:g}; they must stay below 1", 1 - left)
        .hint("the network's own output has the rest of 1");
  return left;
}

std::vector<ExitConfig> read_exits(const Yaml& section, Problems& problems) {
  std::vector<ExitConfig> exits;
  if (section.is_null()) return exits;
  if (!section.is_map()) {
    problems.add(
        request_error("'early_exits' must be a map of names, each with 'value', 'loss_weight' and 'threshold', not {}",
                      section.kind_name())
            .at(section.place));
    return exits;
  }
  std::vector<double> weights;
  for (size_t i = 0; i < section.items.size(); ++i)
    problems.capture([&] {
      auto exit = read_exit(section.keys[i], section.items[i], section.key_places[i]);
      const auto same = std::ranges::find_if(
          exits, [&](const ExitConfig& other) { return other.value == exit.value && other.output == exit.output; });
      if (same != exits.end())
        throw request_error("exits '{}' and '{}' are both on '{}'", same->name, exit.name,
                            exit.value.empty() ? exit.output : exit.value)
            .at(exit.entry.find(exit.value.empty() ? "output" : "value")->place);
      weights.push_back(exit.loss_weight);
      exits.push_back(std::move(exit));
    });
  problems.capture([&] {
    try {
      final_loss_weight(weights);
    } catch (Error& error) {
      throw error.at(section.place);
    }
  });
  return exits;
}

}  // namespace compress::early_exit
