#pragma once

#include "core/error.h"
#include "early_exit/exits.h"
#include "train/task.h"

#include <memory>

namespace compress::early_exit {

/// The task of a graph with exits; the same task for one without.
///
/// Its loss is sum(w_i * loss of exit i) + (1 - sum(w_i)) * loss of the final output, each the task's own (with its
/// smoothing and class weights). Its metrics are those of early-exit inference: each sample is answered by the first
/// exit that is sure enough. Besides, for every exit and "final": `exits.NAME.top1` over all samples,
/// `exits.NAME.share` of the samples that leave there, and `exits.NAME.correct`, those of them with the right answer
/// (all in percent of all samples; these add up to top1).
///
/// bind() throws a request error, at `place` when the error knows none, for a task that does not choose one class of
/// several.
std::unique_ptr<train::Task> with_exits(std::unique_ptr<train::Task> task, const Graph& graph, const Place& place = {});

/// The metric of an exit: "exits.NAME.share".
std::string metric_name(const std::string& exit, std::string_view what);

}  // namespace compress::early_exit
