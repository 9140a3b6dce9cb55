// Made by optimizer_values.py.
#pragma once

#include <vector>

namespace compress::train::test {

struct OptimizerCase {
  const char* name;
  const char* arguments;
  std::vector<double> values;  ///< weight, then bias
};

constexpr int kOptimizerSteps = 5;

inline const std::vector<OptimizerCase> kOptimizerCases = {
    {"SGD",
     "{lr: 0.1}",
     {0.0136369187, 0.847047567, 0.901686549, 0.127319112, -0.764104962, -0.953014433, -0.492647916, 0.460719556}},
    {"SGD",
     "{lr: 0.1, momentum: 0.9, dampening: 0.1, weight_decay: 0.01}",
     {0.0769802704, 1.04602599, 1.05336022, 0.0922399461, -0.953685284, -1.12279677, -0.479915023, 0.641620994}},
    {"SGD",
     "{lr: 0.05, momentum: 0.8, nesterov: true, weight_decay: 0.1}",
     {0.0240822602, 0.841079891, 0.884792507, 0.115031049, -0.760489523, -0.936819613, -0.461905807, 0.474464297}},
    {"SGD",
     "{lr: 0.1, momentum: 0.9, weight_decay: 0.1, groups: [{parameters: ['*.bias'], lr: 0.01, weight_decay: 0, "
     "momentum: 0}]}",
     {0.0571938045, 0.916674912, 0.933369219, 0.0919283107, -0.834031224, -0.993186355, -0.504993856, 0.452895135}},
    {"Adam",
     "{lr: 0.01}",
     {0.00927603804, 0.855869949, 0.928313076, 0.132861331, -0.770519078, -0.977115035, -0.499173462, 0.465153158}},
    {"Adam",
     "{lr: 0.01, betas: [0.8, 0.9], eps: 0.001, weight_decay: 0.1}",
     {0.00852862559, 0.849708617, 0.920363665, 0.132703304, -0.765009761, -0.968512952, -0.496931732, 0.461348444}},
    {"Adam",
     "{lr: 0.01, amsgrad: true, groups: [{parameters: [fc.bias], lr: 0.1}]}",
     {0.00927603804, 0.855869949, 0.928310573, 0.132861331, -0.770518243, -0.977115035, -0.434443295, 0.583299637}},
};

}  // namespace compress::train::test
