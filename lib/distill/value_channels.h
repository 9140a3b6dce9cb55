#pragma once

#include "analysis/coupled_channels.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace compress::distill {

/// The channels of one value of the student, followed through edits that remove some of them. An edit speaks of
/// parameters only; so each channel remembers which index of which parameter's axis it lives and dies with.
class ValueChannels {
public:
  ValueChannels() = default;
  ValueChannels(const analysis::CoupledChannels& channels, const std::string& value, size_t axis, int64_t size);

  /// The positions, among the channels so far, of those that stay; nothing when all do.
  std::optional<std::vector<int64_t>> apply(const Changes& changes);
  /// For each channel its position when counting began.
  const std::vector<int64_t>& original() const { return original_; }
  /// From now on positions count from here.
  void restart();

  nlohmann::json save() const;
  void load(const nlohmann::json& saved);

private:
  struct Member {
    std::string parameter;
    int axis = 0;
    std::vector<int64_t> indices;  ///< by channel; -1: it has none there
  };
  void keep(const std::vector<int64_t>& positions);

  std::vector<Member> members_;
  std::vector<int64_t> original_;
};

/// The axis along which a value has its channels: the second one; of three axes the last one (sequences), unless the
/// channel flow knows of channels along the second one only (signals).
size_t channel_axis(const analysis::CoupledChannels& channels, const std::string& value, size_t rank);

}  // namespace compress::distill
