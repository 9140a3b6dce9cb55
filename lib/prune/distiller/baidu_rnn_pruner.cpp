#include "prune/composition.h"
#include "prune/make_part.h"

namespace compress::prune {

namespace {

class BaiduRnnPruner final : public ComposedPruner {
public:
  void declare(Settings& settings) override {
    amount_->declare(settings);
    settings.required("weights", words_, "parameters to prune, by name or pattern");
  }

private:
  Parts assemble() const override {
    Settings arguments;
    amount_->declare(arguments);
    return {.criterion = make_part(criteria(), "magnitude"),
            .granularity = make_part(analysis::granularities(), "element"),
            .amount = make_part(amounts(), "baidu_rnn", arguments.print())};
  }
  Selection select(const Graph& graph, Problems& problems) const override {
    return select_any(graph, words_, problems);
  }

  std::unique_ptr<Amount> amount_ = amounts().make("baidu_rnn");  ///< holds the arguments
  std::vector<std::string> words_;
};

}  // namespace

extern const Entry<Pruner> baidu_rnn_pruner;
const Entry<Pruner> baidu_rnn_pruner{
    "BaiduRNNPruner", "removes single weights up to a threshold that grows along two lines (Narang et al. 2017)",
    make_component<Pruner, BaiduRnnPruner>};

}  // namespace compress::prune
