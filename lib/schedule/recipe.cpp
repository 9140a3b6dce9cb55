#include "schedule/recipe.h"

#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "schedule/kinds.h"

#include <algorithm>

namespace compress::schedule {

namespace {

constexpr int64_t kVersion = 1;
constexpr const char* kPlainSections[] = {"version",  "name",   "model",  "data",       "training",
                                          "policies", "export", "checks", "early_exits"};

std::vector<std::string> section_names() {
  std::vector<std::string> names(std::begin(kPlainSections), std::end(kPlainSections));
  for (const auto& kind : kinds()) names.emplace_back(kind.section);
  names.emplace_back("extensions");
  return names;
}

/// Reads a recipe section by section; what is wrong in one does not hide what is wrong in the next.
class RecipeReader {
public:
  RecipeReader(Recipe& recipe) : recipe_(recipe), root_(recipe.root) {}

  void read() {
    sections();
    version();
    if (const auto* name = root_.find("name"))
      problems_.capture([&] { recipe_.name = from_yaml<std::string>(*name, "name"); });
    settings("model", recipe_.model);
    model();
    settings("data", recipe_.data);
    settings("training", recipe_.training);
    recipe_.training.inputs = recipe_.model.inputs;
    training();
    policies();
    early_exits();
    exports();
    settings("checks", recipe_.checks);
    raise_in_order();
  }

private:
  const Yaml* section(std::string_view name) const {
    const auto* found = root_.find(name);
    return found && !found->is_null() ? found : nullptr;
  }

  template <class Config>
  void settings(const char* name, Config& config) {
    const auto* value = section(name);
    if (!value) return;
    problems_.capture([&] {
      if (!value->is_map())
        throw request_error("section '{}' must be a map, not {}", name, value->kind_name()).at(value->place);
      Settings declared;
      config.declare(declared);
      declared.read(*value, fmt::format("section '{}'", name));
    });
  }

  void sections() {
    const auto known = section_names();
    for (const auto& key : root_.keys)
      if (std::ranges::find(known, key) == known.end())
        problems_.add(
            request_error("unknown section '{}'", key)
                .at(root_.key_place(key))
                .hint(nearest(key, known).empty() ? "sections: " + join_words(known) : did_you_mean(key, known)));
  }

  void version() {
    if (const auto* value = section("version"))
      problems_.capture([&] {
        const auto number = from_yaml<int64_t>(*value, "version");
        if (number != kVersion)
          throw request_error("version {} of recipes is unknown", number)
              .at(value->place)
              .hint(fmt::format("this program reads version {}", kVersion));
      });
  }

  void model() {
    const auto& model = recipe_.model;
    const int sources = !model.arch.empty() + !model.onnx.empty() + !model.run.empty();
    if (sources > 1)
      problems_.add(request_error("section 'model' names several sources")
                        .at(root_.key_place("model"))
                        .hint("keep one of arch, onnx and run"));
  }

  void training() {
    problems_.capture([&] {
      const auto* entry = section("training");
      check_in(entry ? *entry : root_, [&] { recipe_.training.check(); });
    });
    problems_.capture([&] { train::make_optimizer(recipe_.training.optimizer); });
    problems_.capture([&] { train::make_task(recipe_.training.task, "classification"); });
  }

  void policies() {
    auto instances = read_instances(root_, problems_);
    const auto* list = section("policies");
    recipe_.policies = read_policies(list ? *list : Yaml{}, instances, recipe_.training.epochs, problems_);
    one_quantizer();
    for (const auto& instance : instances.all) {
      if (instance.used) continue;
      log::warning("{}: no policy uses {} '{}'", instance.place.str(), instance.kind->name, instance.name);
      problems_.capture([&] { instance.kind->check(*instance.entry, instance.name); });
    }
  }

  void one_quantizer() {
    const PolicyEntry* first = nullptr;
    for (const auto& policy : recipe_.policies) {
      if (policy.kind != "quantizer") continue;
      if (first)
        problems_.add(request_error("a network is quantised once, but quantizer '{}' follows '{}'", policy.instance,
                                    first->instance)
                          .at(policy.place)
                          .hint("use overrides in one quantizer"));
      first = &policy;
    }
  }

  void early_exits() {
    if (const auto* exits = section("early_exits")) recipe_.early_exits = early_exit::read_exits(*exits, problems_);
  }

  void exports() {
    const auto* value = section("export");
    if (!value) return;
    for (const auto& entry : value->is_sequence() ? value->items : std::vector<Yaml>{*value})
      problems_.capture([&] {
        if (!entry.is_map())
          throw request_error("'export' must be a map or a list of maps, not {}", entry.kind_name()).at(entry.place);
        ExportConfig config;
        Settings declared;
        config.declare(declared);
        declared.read(entry, "section 'export'");
        try {
          config.check();
        } catch (Error& error) {
          throw with_place(std::move(error), entry);
        }
        if (std::ranges::find(recipe_.exports, config.file, &ExportConfig::file) != recipe_.exports.end())
          throw request_error("two exports write '{}'", config.file).at(entry.place).hint("give each its own 'file'");
        recipe_.exports.push_back(std::move(config));
      });
  }

  /// In the order of the file; what is wrong in a component that several policies use is said once.
  void raise_in_order() const {
    auto errors = problems_.errors();
    std::ranges::stable_sort(errors, {},
                             [](const Error& error) { return std::pair(error.place().line, error.place().column); });
    const auto repeated = std::ranges::unique(errors, {}, &Error::render);
    errors.erase(repeated.begin(), repeated.end());
    Problems sorted;
    for (auto& error : errors) sorted.add(std::move(error));
    sorted.raise();
  }

  Recipe& recipe_;
  const Yaml& root_;
  Problems problems_;
};

}  // namespace

Recipe Recipe::parse(Yaml root) {
  if (!root.is_map()) throw request_error("a recipe is a map of sections, not {}", root.kind_name()).at(root.place);
  Recipe recipe;
  recipe.root = std::move(root);
  RecipeReader(recipe).read();
  return recipe;
}

Recipe Recipe::read(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  auto root = read_yaml(path);
  if (root.is_map())
    for (const auto& assignment : overrides) set_override(root, assignment);
  auto recipe = parse(std::move(root));
  if (recipe.name.empty()) recipe.name = path.stem().string();
  return recipe;
}

int64_t Recipe::epochs() const {
  int64_t epochs = 0;
  for (const auto& policy : policies) epochs = std::max(epochs, policy.window.ending_epoch);
  return training.epochs.value_or(epochs);
}

std::string Recipe::hash() const {
  return checksum(to_text(root));
}

namespace {

/// What coupled layers lose by maps of their own, no thinning can remove: the recipe asks for what cannot be done.
void check_thinning(const Scheduler& scheduler, Problems& problems) {
  for (const auto& pruning : scheduler.policies()) {
    const auto removes = [&](const auto& policy) {
      if (!policy->thins()) return false;
      const bool listed_behind = &policy > &pruning;
      return policy->window.at_end() || policy->window.last_epoch() > pruning->window.first_epoch() ||
             (policy->window.last_epoch() == pruning->window.first_epoch() && listed_behind);
    };
    const auto thinning = std::ranges::find_if(scheduler.policies(), removes);
    if (thinning == scheduler.policies().end()) continue;
    for (const auto& line : pruning->uncoupled())
      problems.add(request_error("{} '{}' prunes what {} '{}' ({}) could not remove: {}", pruning->kind,
                                 pruning->instance, (*thinning)->kind, (*thinning)->instance, (*thinning)->place.str(),
                                 line)
                       .at(pruning->place)
                       .hint("list all of them with 'group_dependency: Leader', or use 'class: Pruner' with "
                             "'dependency: coupled'"));
  }
}

/// Pruning, passes and searches remove channels and nodes.
bool keeps_structure(const std::vector<PolicyEntry>& policies) {
  return std::ranges::none_of(policies, [](const PolicyEntry& policy) {
    return policy.kind == "pruner" || policy.kind == "pass" || policy.kind == "search";
  });
}

}  // namespace

std::unique_ptr<Scheduler> Recipe::bind(const Graph& graph, const distill::OpenModel& open) const {
  auto scheduler = std::make_unique<Scheduler>();
  Problems problems;
  for (const auto& entry : policies) {
    auto policy = find_kind(entry.kind)->make(entry);
    policy->window = entry.window;
    policy->kind = entry.kind;
    policy->instance = entry.instance;
    policy->class_name = entry.class_name;
    policy->place = entry.place;
    Problems own;
    policy->bind(graph, {open, model.inputs, keeps_structure(policies)}, own);
    for (const auto& earlier : scheduler->policies()) policy->check_with(*earlier, own);
    for (const auto& error : own.errors()) problems.add(with_place(error, entry.component));
    scheduler->add(std::move(policy));
  }
  check_thinning(*scheduler, problems);
  problems.raise();
  return scheduler;
}

std::string Recipe::timeline() const {
  size_t width = 0;
  for (const auto& policy : policies) width = std::max(width, policy.window.str().size());
  std::string text;
  for (const auto& policy : policies)
    text += fmt::format("{:<{}}  {} {} ({})\n", policy.window.str(), width, policy.kind, policy.instance,
                        policy.class_name);
  return text;
}

}  // namespace compress::schedule
