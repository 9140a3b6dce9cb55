// The native form: criterion, granularity, amount and dependency are chosen on their own.
#include "core/part_setting.h"
#include "core/text.h"
#include "prune/composition.h"

#include <algorithm>

namespace compress::prune {

namespace {

bool digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// "2:4" is 2 of each 4.
Yaml expand_granularity(const Yaml& written) {
  const auto parts = written.is_scalar() ? split(written.text, ':') : std::vector<std::string>();
  if (parts.size() != 2 || !digits(parts[0]) || !digits(parts[1])) return written;
  auto map = Yaml::map();
  map.place = written.place;
  map.set("class", Yaml::scalar("n_of_m"));
  map.set("n", Yaml::scalar(parts[0]));
  map.set("m", Yaml::scalar(parts[1]));
  for (auto& item : map.items) item.place = written.place;
  return map;
}

/// A number is a level.
Yaml expand_amount(const Yaml& written) {
  Problems problems;
  if (!written.is_scalar() || written.quoted || !problems.capture([&] { from_yaml<double>(written, "amount"); }))
    return written;
  auto map = Yaml::map();
  map.place = written.place;
  map.set("class", Yaml::scalar("level"));
  map.set("level", written);
  return map;
}

class NativePruner final : public ComposedPruner {
public:
  void declare(Settings& settings) override {
    settings.custom(criterion_.field("what makes a structure strong: the weaker go (compress list criteria)"));
    auto granularity =
        granularity_.field("what is removed as a whole (compress list granularities); \"2:4\" keeps 2 of "
                           "each 4 neighbouring inputs",
                           {{"type", "string"}, {"pattern", "^[0-9]+:[0-9]+$"}});
    granularity.required = true;
    settings.custom(std::move(granularity));
    settings.custom(amount_.field("how much goes (compress list amounts); a number is a level", {{"type", "number"}}));
    settings.optional("weights", words_,
                      "weights to prune, by name or pattern; none: those of all convolutions and linear layers");
    settings.choice(
        "dependency", dependency_,
        {{"auto", Depend::automatic}, {"coupled", Depend::coupled}, {"leader", Depend::leader}, {"none", Depend::none}},
        "what goes together: coupled: the channels that the graph ties to each other, ranked as one; leader: "
        "all as the first weight; auto: coupled for filters and channels, else none");
    settings.choice("importance", importance_,
                    {{"mean", Importance::mean}, {"sum", Importance::sum}, {"max", Importance::max}},
                    "coupled: what the strengths of the weights of a group become");
    limits_.declare(settings);
    settings.optional("noise", noise_, "probability of ranking by randomly scaled strengths", in(0, 1));
  }
  void check(const Moment& moment) const override;

private:
  enum class Depend { automatic, coupled, leader, none };

  bool coupled(const analysis::Granularity& granularity) const {
    return dependency_ == Depend::coupled || (dependency_ == Depend::automatic && granularity.by_layer());
  }
  Parts assemble() const override;
  Selection select(const Graph& graph, Problems& problems) const override {
    return select_weights(graph, words_, problems);
  }

  PartSetting<Criterion> criterion_{"criterion", criteria(), Yaml::scalar("magnitude")};
  PartSetting<analysis::Granularity> granularity_{"granularity", analysis::granularities(), {}, expand_granularity};
  PartSetting<Amount> amount_{"amount", amounts(), {}, expand_amount};
  std::vector<std::string> words_;
  Depend dependency_ = Depend::automatic;
  Importance importance_ = Importance::mean;
  Limits limits_;
  double noise_ = 0;
};

void NativePruner::check(const Moment& moment) const {
  const auto granularity = granularity_.make();
  if (!coupled(*granularity) && importance_ != Importance::mean)
    throw request_error("'importance' has a meaning with 'dependency: coupled' only");
  if (granularity->quota()) {
    if (amount_.given())
      throw request_error("'amount' has no meaning with 'granularity: {}': it says how many go",
                          granularity_.class_name());
    if (limits_ != Limits())
      throw request_error("'min_channels', 'multiple_of' and 'rounding' have no meaning with 'granularity: {}'",
                          granularity_.class_name());
    return;
  }
  if (!amount_.given())
    throw request_error("missing 'amount': how many of the structures go")
        .hint("a share such as 0.5, or one of " + join_words(amounts().names(), "or"));
  amount_.make()->check(moment);
}

Parts NativePruner::assemble() const {
  Parts parts{.criterion = criterion_.make(), .granularity = granularity_.make(), .noise = noise_};
  if (!parts.granularity->quota()) {
    parts.amount = amount_.make();
    parts.limits = limits_;
  }
  if (coupled(*parts.granularity)) parts.dependency = make_coupled(importance_);
  if (dependency_ == Depend::leader) parts.dependency = make_leader();
  return parts;
}

}  // namespace

extern const Entry<Pruner> native_pruner;
const Entry<Pruner> native_pruner{"Pruner",
                                  "the native form: criterion, granularity, amount and dependency as you like",
                                  make_component<Pruner, NativePruner>};

}  // namespace compress::prune
