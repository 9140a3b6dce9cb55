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
  const auto memory = scheduler_.save();
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, tensor] : optimizer_.state()) tensors[std::string(kOptimizer) + name] = tensor;
  for (const auto& [name, tensor] : memory.tensors) tensors[std::string(kPolicies) + name] = tensor;
  const json state{{"recipe_hash", recipe_hash_},       {"next_epoch", progress.next_epoch},
                   {"best_epoch", progress.best_epoch}, {"best_value", progress.best_value},
                   {"baseline", progress.baseline},     {"policies", memory.values},
                   {"threads", at::get_num_threads()},  {"libtorch", TORCH_VERSION}};
  io::save_checkpoint(directory_.checkpoint(), {.graph = graph.clone(), .tensors = std::move(tensors), .state = state});
}

void ProgressStore::load(Graph& graph, RunProgress& progress) const {
  auto checkpoint = io::load_checkpoint(directory_.checkpoint());
  const auto& state = checkpoint.state;
  if (state.value("recipe_hash", "") != recipe_hash_)
    throw request_error("the checkpoint '{}' belongs to another recipe", directory_.checkpoint().string())
        .hint("resume with the recipe it was started with: leave the recipe out");
  warn_of_difference(state);
  progress = {.next_epoch = state.at("next_epoch"),
              .best_epoch = state.at("best_epoch"),
              .best_value = state.at("best_value"),
              .baseline = state.at("baseline")};
  graph = std::move(checkpoint.graph);
  optimizer_.bind(graph);
  optimizer_.load_state(with_prefix(checkpoint.tensors, kOptimizer));
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
