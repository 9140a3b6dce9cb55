// AC/DC: phases with masks and phases without take turns, so that weights removed early can still come back (Peste,
// Iofinova, Vladu, Alistarh 2021, https://arxiv.org/abs/2106.12379).
#include "prune/cut.h"
#include "prune/pruner.h"
#include "prune/weight_list.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace compress::prune {

namespace {

class AcDcPruner final : public Pruner {
public:
  void declare(Settings& settings) override {
    weights_.declare(settings);
    settings.required("level", level_, "share of the weights to remove", half_open(0, 1));
    settings.optional("warmup", warmup_, "epochs before the first compressed phase", at_least(0));
    settings.optional("compressed", compressed_, "epochs of a phase with masks", at_least(1));
    settings.optional("decompressed", decompressed_, "epochs of a phase without", at_least(1));
    settings.choice("scope", scope_, {{"all", Scope::all}, {"each", Scope::each}},
                    "all: the level is that of all weights together; each: of each");
  }

  void check(const Moment& moment) const override {
    if (warmup_ >= moment.count)
      throw request_error("'warmup' is {} epochs, but the policy is active in {}: nothing would be compressed", warmup_,
                          moment.count);
  }
  void bind(const Graph& graph, Problems& problems) override { weights_.bind(graph, problems); }
  const std::vector<std::string>& parameters() const override { return weights_.names(); }

  void set_masks(Graph& graph, const Moment& moment) override {
    const auto phase = phase_at(moment.index, moment.count);
    if (!phase.compressed)
      for (const auto& name : parameters()) set_mask(graph, name, {});
    else if (phase.begins)
      scope_ == Scope::all ? mask_all(graph) : mask_each(graph);
  }

  void apply(const Changes& changes) override { weights_.apply(changes); }
  train::Memory save() const override { return {.values = {{"parameters", weights_.save()}}, .tensors = {}}; }
  void load(const train::Memory& memory) override { weights_.load(memory.values.at("parameters")); }

private:
  enum class Scope { all, each };
  struct Phase {
    bool compressed, begins;
  };

  /// Weights are let free only when a whole phase with masks can follow: what training ends with is compressed.
  Phase phase_at(int64_t index, int64_t count) const {
    const int64_t epoch = index - warmup_, epochs = count - warmup_;
    if (epoch < 0) return {false, false};
    const int64_t cycle = compressed_ + decompressed_, within = epoch % cycle, start = epoch - within;
    const bool another = start + cycle + compressed_ <= epochs;
    return {within < compressed_ || !another, within == 0};
  }

  static at::Tensor magnitudes(const Graph& graph, const std::string& name) {
    return graph.parameter(name).value.detach().abs().contiguous().flatten();
  }

  void mask_each(Graph& graph) const {
    for (const auto& name : parameters())
      set_mask(graph, name, cut_share(magnitudes(graph, name), level_).view(graph.parameter(name).value.sizes()));
  }

  /// The strongest weight of each layer stays: a layer of zeros would cut the network in two.
  void mask_all(Graph& graph) const {
    std::vector<at::Tensor> parts;
    for (const auto& name : parameters()) {
      auto part = magnitudes(graph, name);
      part[part.argmax()].fill_(std::numeric_limits<float>::infinity());
      parts.push_back(part);
    }
    const auto all = at::cat(parts);
    const auto map = cut_share(all, level_);
    int64_t begin = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto& name = parameters()[i];
      set_mask(graph, name, map.narrow(0, begin, parts[i].numel()).view(graph.parameter(name).value.sizes()));
      begin += parts[i].numel();
    }
  }

  WeightList weights_;
  double level_ = 0;
  int64_t warmup_ = 0, compressed_ = 1, decompressed_ = 1;
  Scope scope_ = Scope::all;
};

}  // namespace

extern const Entry<Pruner> ac_dc_pruner;
const Entry<Pruner> ac_dc_pruner{
    "AcDcPruner", "compressed and decompressed phases take turns (AC/DC); what training ends with is compressed",
    make_component<Pruner, AcDcPruner>};

}  // namespace compress::prune
