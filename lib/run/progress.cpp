#include "run/progress.h"

#include "core/log.h"
#include "io/checkpoint.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

namespace compress::run {

namespace {

using nlohmann::json;
constexpr std::string_view kOptimizer = "optimizer/";
constexpr std::string_view kPolicies = "policies/";
constexpr std::string_view kTrainer = "trainer/";

std::map<std::string, at::Tensor> with_prefix(const std::map<std::string, at::Tensor>& tensors,
                                              std::string_view prefix) {
  std::map<std::string, at::Tensor> found;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) found[name.substr(prefix.size())] = tensor;
  return found;
}

void warn_of_difference(const json& state) {
  if (state.value("threads", 0) != at::get_num_threads())
    log::warning("the checkpoint was made with {} threads, this run has {}: results may differ in the last bits",
                 state.value("threads", 0), at::get_num_threads());
  if (state.value("libtorch", "") != TORCH_VERSION)
    log::warning("the checkpoint was made with LibTorch {}, this is {}: results may differ in the last bits",
                 state.value("libtorch", ""), TORCH_VERSION);
}

}  // namespace

void ProgressStore::save(const Graph& graph, const RunProgress& progress) const {
  const auto memory = scheduler_.save(), trainer = trainer_.save();
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, tensor] : optimizer_.state()) tensors[std::string(kOptimizer) + name] = tensor;
  for (const auto& [name, tensor] : memory.tensors) tensors[std::string(kPolicies) + name] = tensor;
  for (const auto& [name, tensor] : trainer.tensors) tensors[std::string(kTrainer) + name] = tensor;
  const json state{{"recipe_hash", recipe_hash_},      {"next_epoch", progress.next_epoch}, {"best", progress.best},
                   {"baseline", progress.baseline},    {"policies", memory.values},         {"trainer", trainer.values},
                   {"threads", at::get_num_threads()}, {"libtorch", TORCH_VERSION}};
  io::save_checkpoint(directory_.checkpoint(), {.graph = graph.clone(), .tensors = std::move(tensors), .state = state});
}

void ProgressStore::load(Graph& graph, RunProgress& progress, bool fresh_optimizer) const {
  auto checkpoint = io::load_checkpoint(directory_.checkpoint());
  const auto& state = checkpoint.state;
  if (state.value("recipe_hash", "") != recipe_hash_)
    throw request_error("the checkpoint '{}' belongs to another recipe", directory_.checkpoint().string())
        .hint("resume with the recipe it was started with: leave the recipe out");
  warn_of_difference(state);
  progress = {.next_epoch = state.at("next_epoch"), .best = state.at("best"), .baseline = state.at("baseline")};
  graph = std::move(checkpoint.graph);
  optimizer_.bind(graph);
  if (!fresh_optimizer) optimizer_.load_state(with_prefix(checkpoint.tensors, kOptimizer));
  trainer_.load({.values = state.at("trainer"), .tensors = with_prefix(checkpoint.tensors, kTrainer)});
  scheduler_.load({.values = state.at("policies"), .tensors = with_prefix(checkpoint.tensors, kPolicies)});
}

void ProgressStore::save_best(const Graph& graph) const {
  io::save_checkpoint(directory_.best(), {.graph = graph.clone(), .tensors = {}, .state = {}});
}

Graph ProgressStore::load_best() const {
  return io::load_checkpoint(directory_.best()).graph;
}

void ProgressStore::save_final(const report::RunDirectory& directory, const Graph& graph) {
  io::save_checkpoint(directory.file("final"), {.graph = graph.clone(), .tensors = {}, .state = {}});
}

}  // namespace compress::run
