#include "prune/memory_parts.h"

namespace compress::prune {

void keep_part(train::Memory& whole, const std::string& name, const train::Memory& part) {
  whole.values[name] = part.values;
  for (const auto& [key, tensor] : part.tensors) whole.tensors[name + "/" + key] = tensor;
}

train::Memory part_of(const train::Memory& whole, const std::string& name) {
  train::Memory part;
  if (whole.values.contains(name)) part.values = whole.values.at(name);
  const auto prefix = name + "/";
  for (const auto& [key, tensor] : whole.tensors)
    if (key.starts_with(prefix)) part.tensors[key.substr(prefix.size())] = tensor;
  return part;
}

}  // namespace compress::prune
