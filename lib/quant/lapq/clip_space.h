#pragma once

#include "quant/lapq/evaluations.h"
#include "quant/post_training/quantizer_clips.h"

#include <string>
#include <vector>

namespace compress::quant {

/// The clips of a graph as coordinates of a search: factors on the ranges that the quantisers have when the space is
/// made. A range of zeros only has none.
class ClipSpace {
public:
  /// The coordinates are in the order of `clips`. `each_end`: the two ends of an asymmetric grid are coordinates of
  /// their own (low, then high); otherwise one factor moves both, and the zero point stays.
  ClipSpace(Graph& graph, const std::vector<QuantizerClip>& clips, bool each_end);

  size_t size() const { return axes_.size(); }
  /// From a twentieth to three times a range, in steps of a tenth.
  Region region() const;
  /// Where the clips were: all factors 1.
  Point start() const { return Point(size(), 1); }
  /// The first FakeQuantize node that depends on a coordinate.
  const std::string& node(size_t axis) const { return clips_[axes_[axis].clip].clip.name(); }

  /// Sets the graph's clips; returns the parameters that were written: those of clips that were elsewhere, at first all
  /// (so that a point has the same bits whatever was set before).
  std::vector<std::string> set(const Point& point);

private:
  struct PlacedClip {
    QuantizerClip clip;
    ops::ValueRange range;
  };
  struct Axis {
    size_t clip;
    bool low, high;  ///< which ends it moves
  };

  Graph& graph_;
  std::vector<PlacedClip> clips_;
  std::vector<Axis> axes_;
  Point point_;  ///< where the graph is; NaN: not set yet
};

}  // namespace compress::quant
