#pragma once

#include "core/error.h"
#include "distill/distiller.h"
#include "train/hook.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace compress::schedule {

/// The epochs in which a policy is active, from either of Distiller's spellings: a list of epochs, or starting_epoch,
/// ending_epoch (exclusive) and frequency.
struct Window {
  std::vector<int64_t> epochs;   ///< ascending; empty: once, when training has ended or before it begins
  int64_t ending_epoch = 0;      ///< as written, else the last epoch + 1; 0: without epochs
  bool before_training = false;  ///< without epochs

  static Window range(int64_t starting_epoch, int64_t ending_epoch, int64_t frequency = 1);
  static Window list(std::vector<int64_t> epochs);

  bool at_end() const { return epochs.empty() && !before_training; }
  bool active(int64_t epoch) const;
  int64_t first_epoch() const { return epochs.empty() ? at_end() ? -1 : 0 : epochs.front(); }  ///< -1: at the end
  int64_t last_epoch() const { return epochs.empty() ? first_epoch() : epochs.back(); }        ///< -1: at the end
  int64_t count() const { return static_cast<int64_t>(epochs.size()); }
  /// Epochs from one active one to the next, on the average; 1 when there is only one.
  double spacing() const;
  /// How many active epochs lie before `epoch`.
  int64_t index(int64_t epoch) const;
  /// The last active epoch up to `epoch`; -1 when there is none.
  int64_t latest(int64_t epoch) const;
  /// True when both are active in some epoch.
  bool overlaps(const Window& other) const;
  std::string str() const;  ///< "epochs 0-28 step 2", "epoch 30", "after training"
};

/// What a policy may need besides the graph when it is bound.
struct Binding {
  const distill::OpenModel& open;
  const std::map<std::string, std::string>& inputs;  ///< graph input -> data field
  /// True when the policy will act on a network of the names and shapes that the graph has now.
  bool keeps_structure = false;
};

/// A technique bound to moments of training. The scheduler calls it only in active epochs.
class Policy : public train::Hook {
public:
  Window window;
  std::string kind;        ///< "pruner", "lr_scheduler", ...
  std::string instance;    ///< the name in the recipe
  std::string class_name;  ///< of its component
  Place place;             ///< of the entry in the recipe

  /// Resolves names against the graph and checks shapes. Called once, before training.
  virtual void bind(const Graph&, const Binding&, Problems&) {}
  /// Contradictions with a policy that the recipe lists before this one.
  virtual void check_with(const Policy& earlier, Problems& problems) const;
  /// The parameters that hold other weights during the forward pass: it puts the real ones back before the optimiser's
  /// step, or after it.
  virtual std::vector<std::string> exchanges() const { return {}; }
  /// After bind(): why thinning could not remove what it prunes, a line for each reason.
  virtual std::vector<std::string> uncoupled() const { return {}; }
  /// True when it removes what pruning has masked.
  virtual bool thins() const { return false; }
  /// Finds what it needs of task and data. Called once, before training.
  virtual void bind_task(const train::Task&, const data::Splits&, Problems&) {}
  /// True when it makes the network smaller or coarser; the best checkpoint is chosen when all such policies are done.
  virtual bool compresses() const { return false; }
  /// At the beginning of every epoch, active or not, before any policy acts in it.
  virtual void before_epoch(train::State&) {}
  /// Another policy changed the graph.
  virtual void apply(const Changes&) {}
  /// What it was to reach and did not, as a sentence: that fails the run. "" when all is well.
  virtual std::string unmet() const { return {}; }
  /// True for parameters whose weights this policy masks itself, for the forward pass only.
  virtual bool masks_forward_only(std::string_view) const { return false; }
};

}  // namespace compress::schedule
