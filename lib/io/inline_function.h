#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <vector>

namespace compress::io {

/// The nodes of a function with the call's values and attributes put in; `number` makes the names of the values inside
/// unique. Throws a request error when the call does not fit the function.
std::vector<onnx::NodeProto> inlined(const onnx::NodeProto& call, const onnx::FunctionProto& function, int64_t number);

}  // namespace compress::io
