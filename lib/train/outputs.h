#pragma once

#include "train/task.h"

namespace compress::train {

/// A graph output and its shape without the batch.
struct OutputInfo {
  std::string name;
  Shape shape;
};
/// The output of this name, the first one when the name is empty. Throws a request error with the nearest name.
OutputInfo output_info(const Graph& graph, const std::string& name);

/// Throws a request error that lists the fields.
const data::FieldInfo&
field_info(const std::vector<data::FieldInfo>& fields, const std::string& name, std::string_view task);

using Outputs = std::map<std::string, at::Tensor>;
/// Names the tensors that a plan gave.
Outputs named_outputs(const Graph& graph, std::vector<at::Tensor> values);
/// All fields on the device; the batch itself when they are there.
data::Batch to_device(const data::Batch& batch, at::Device device);

}  // namespace compress::train
