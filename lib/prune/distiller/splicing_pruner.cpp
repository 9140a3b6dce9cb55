#include "prune/distiller/valued.h"
#include "prune/make_part.h"

namespace compress::prune {

namespace {

class SplicingPruner final : public ValuedPruner {
public:
  SplicingPruner() : ValuedPruner("sensitivities", "splicing", "sensitivity") {}
  void declare(Settings& settings) override {
    settings.required("sensitivities", words_, "s of the thresholds, by parameter name or pattern; '*' for all others",
                      at_least(0));
    for (auto& field : amount_arguments()) settings.custom(field);
  }

private:
  /// Those of the amount but the sensitivity, which has another name and form here.
  std::vector<Field> amount_arguments() const {
    Settings settings;
    amount_->declare(settings);
    auto fields = settings.fields();
    std::erase_if(fields, [](const Field& field) { return field.name == "sensitivity"; });
    return fields;
  }
  Yaml more_arguments() const override {
    auto arguments = Yaml::map();
    for (const auto& field : amount_arguments()) arguments.set(field.name, field.print());
    return arguments;
  }
  bool spares_zero() const override { return false; }

  std::unique_ptr<Amount> amount_ = amounts().make("splicing");  ///< holds the arguments
};

}  // namespace

extern const Entry<Pruner> splicing_pruner;
const Entry<Pruner> splicing_pruner{
    "SplicingPruner", "dynamic network surgery: weights go below one threshold and come back above another",
    make_component<Pruner, SplicingPruner>};

}  // namespace compress::prune
