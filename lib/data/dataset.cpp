#include "data/dataset.h"

#include "core/text.h"

namespace compress::data {

const at::Tensor& Batch::at(std::string_view field) const {
  if (const auto found = fields.find(field); found != fields.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : fields) names.push_back(name);
  throw run_error("the data have no field '{}'; they have: {}", field, join(names, ", "))
      .hint(did_you_mean(field, names));
}

bool is_target(std::string_view field) {
  return field == "label" || field == "labels" || field == "mask" || field == "y";
}

}  // namespace compress::data
