#pragma once

#include "quant/lapq/joint_search.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace compress::quant {

/// The p-norms of errors by which clips start.
struct NormStart {
  std::optional<double> p = {};  ///< absent: the one with the least loss, between 2 and 4 by a parabola
  /// "": of each tensor's own error; else "powell" or one of nlopt_methods(), which searches over weight and output of
  /// each layer together, by the error of the layer's output.
  std::string method = {};
};

struct LapqOptions {
  std::optional<NormStart> norm = {};  ///< absent: clips start where they are
  JointSearchOptions joint = {};       ///< its time is that of the start too
};

/// LAPQ: puts the clips of a prepared network where the joint search starts, never where the loss is greater than where
/// they were inserted, then searches them together.
class LapqSearch {
public:
  /// `reference`: the same network in floating point, folded alike. Graphs and samples stay the caller's.
  LapqSearch(Graph& graph,
             const Graph& reference,
             const train::KeptSamples& samples,
             std::vector<QuantizerClip> clips,
             LapqRecord record,
             LapqOptions options);

  /// Leaves the graph at the best of all that was tried, so far as it is at hand when an exception ends it. Returns
  /// why it ended early, as Quantizer::unmet(); "" when it did not.
  std::string run();
  /// When an interrupt ended run(): what that leaves, as Quantizer::unmet(); "" when it is not the best of what the
  /// record knows, or when no finite loss is known.
  std::string interrupted() const;

private:
  using Ranges = std::vector<ops::ValueRange>;

  bool start();
  void set_start();
  double set_by_norm(const NormStart& norm);
  double choose_p();
  double loss_of(double p);
  void place(double p);
  bool has_best() const { return best_loss_ <= record_.least(); }
  Ranges ranges() const;
  void set(const Ranges& ranges);
  void note(double loss_here);
  std::string unmet(const std::string& stop, const std::string& reached) const;

  Graph& graph_;
  const Graph& reference_;
  const train::KeptSamples& samples_;
  std::vector<QuantizerClip> clips_;
  LapqRecord record_;
  LapqOptions options_;
  std::optional<CalibrationLoss> loss_;  ///< as long as it runs: it keeps much
  Ranges observed_;                      ///< of the clips as they were inserted
  Ranges best_;                          ///< with the least loss at the start
  double best_loss_ = kWorstLoss, start_loss_ = kWorstLoss;
  std::optional<double> at_;         ///< the p where the clips are
  std::map<double, double> losses_;  ///< by p
  bool started_ = false;             ///< from then on the clips are left at the best, whatever happens
};

/// "loss 0.1965 (top1 93.16)"
std::string text_of(const train::Task& task, const CalibrationLoss::Result& result);

}  // namespace compress::quant
