#pragma once

#include "schedule/component.h"
#include "schedule/policy.h"

#include <memory>

namespace compress::schedule {

/// One factory per kind of policy: reads the component's arguments and the policy's, and checks all that needs no
/// model. Throws request errors, several at once.
std::unique_ptr<Policy> make_pruning_policy(const PolicyEntry& entry);
std::unique_ptr<Policy> make_regularization_policy(const PolicyEntry& entry);
std::unique_ptr<Policy> make_quantization_policy(const PolicyEntry& entry);
std::unique_ptr<Policy> make_distillation_policy(const PolicyEntry& entry);
std::unique_ptr<Policy> make_lr_policy(const PolicyEntry& entry);
std::unique_ptr<Policy> make_pass_policy(const PolicyEntry& entry);
std::unique_ptr<Policy> make_search_policy(const PolicyEntry& entry);

}  // namespace compress::schedule
