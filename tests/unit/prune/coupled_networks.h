#pragma once

#include "core/random.h"
#include "graph/text_form.h"

#include <ATen/ops/tensor.h>

#include <string>
#include <vector>

/// Small networks, one for each way in which channels are coupled.
namespace compress::prune::fixtures {

/// From the text form, with random parameters.
inline Graph random_network(const std::string& text) {
  Graph graph = parse_graph(text);
  Random random(3, "coupled networks");
  for (const auto& name : graph.parameter_names()) {
    const at::Tensor& value = graph.parameter(name).value;
    std::vector<float> numbers(static_cast<size_t>(value.numel()));
    for (auto& number : numbers) number = static_cast<float>(name.ends_with("var") ? 1.5 : random.normal() * 0.5);
    graph.assign(name, at::tensor(numbers).view(value.sizes()));
  }
  return graph;
}

struct CoupledNetwork {
  const char* kind;
  const char* text;
};

inline const std::vector<CoupledNetwork>& coupled_networks() {
  static const std::vector<CoupledNetwork> networks = {
      {"residual addition, batch-norm and PReLU", R"(graph g(x: float[N,3,6,6]) -> (fc)
parameter a.weight: float[8,3,3,3]
parameter bn.weight: float[8]
parameter bn.bias: float[8]
parameter bn.mean: float[8] fixed
parameter bn.var: float[8] fixed
parameter slope: float[8,1,1]
parameter b.weight: float[6,8,3,3]
parameter b.bias: float[6]
parameter c.weight: float[8,6,3,3]
parameter fc.weight: float[5,8]
parameter fc.bias: float[5]
a = Conv(x, %a.weight) kernel_shape=[3,3] pads=[1,1,1,1]
n = BatchNormalization(a, %bn.weight, %bn.bias, %bn.mean, %bn.var)
p = PRelu(n, %slope)
b = Conv(p, %b.weight, %b.bias) kernel_shape=[3,3] pads=[1,1,1,1]
r = Relu(b)
c = Conv(r, %c.weight) kernel_shape=[3,3] pads=[1,1,1,1]
s = Add(p, c)
pool = GlobalAveragePool(s)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)"},
      {"concat", R"(graph g(x: float[N,3,6,6]) -> (c)
parameter a.weight: float[6,3,1,1]
parameter b.weight: float[8,3,1,1]
parameter c.weight: float[4,14,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b = Conv(x, %b.weight) kernel_shape=[1,1]
ab = Concat(a, b) axis=1
c = Conv(ab, %c.weight) kernel_shape=[1,1]
)"},
      {"depthwise convolution", R"(graph g(x: float[N,3,6,6]) -> (c)
parameter a.weight: float[8,3,1,1]
parameter b.weight: float[8,1,3,3]
parameter b.bias: float[8]
parameter c.weight: float[2,8,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b = Conv(a, %b.weight, %b.bias) group=8 kernel_shape=[3,3]
c = Conv(b, %c.weight) kernel_shape=[1,1]
)"},
      {"grouped convolution and channel shuffle", R"(graph g(x: float[N,3,6,6]) -> (c)
parameter a.weight: float[8,3,1,1]
parameter b.weight: float[8,4,3,3]
parameter c.weight: float[2,8,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b = Conv(a, %b.weight) group=2 kernel_shape=[3,3]
split = Reshape(b) shape=[0,2,4,4,4]
turned = Transpose(split) perm=[0,2,1,3,4]
mixed = Reshape(turned) shape=[0,8,4,4]
c = Conv(mixed, %c.weight) kernel_shape=[1,1]
)"},
      {"flatten to linear, linear to linear", R"(graph g(x: float[N,3,4,4]) -> (two)
parameter a.weight: float[6,3,3,3]
parameter a.bias: float[6]
parameter one.weight: float[8,24]
parameter one.bias: float[8]
parameter two.weight: float[3,8]
a = Conv(x, %a.weight, %a.bias) kernel_shape=[3,3]
flat = Flatten(a)
one = Gemm(flat, %one.weight, %one.bias) transB=1
r = Relu(one)
two = Gemm(r, %two.weight) transB=1
)"},
      {"transposed convolution", R"(graph g(x: float[N,3,4,4]) -> (c)
parameter a.weight: float[8,3,3,3]
parameter up.weight: float[8,6,2,2]
parameter up.bias: float[6]
parameter c.weight: float[2,6,3,3]
a = Conv(x, %a.weight) kernel_shape=[3,3] pads=[1,1,1,1]
up = ConvTranspose(a, %up.weight, %up.bias) kernel_shape=[2,2] strides=[2,2]
r = Relu(up)
c = Conv(r, %c.weight) kernel_shape=[3,3] pads=[1,1,1,1]
)"},
      {"hidden units of an LSTM and a GRU", R"(graph g(x: float[N,5,4]) -> (fc)
parameter l.ih: float[24,4]
parameter l.hh: float[24,6]
parameter l.b: float[24]
parameter l.c: float[24]
parameter g.ih: float[15,6]
parameter g.hh: float[15,5]
parameter g.b: float[15]
parameter g.c: float[15]
parameter fc.weight: float[5,3]
t = Transpose(x) perm=[1,0,2]
l = LSTM(t, %l.ih, %l.hh, %l.b, %l.c)
g = GRU(l, %g.ih, %g.hh, %g.b, %g.c)
b = Transpose(g) perm=[1,0,2]
fc = MatMul(b, %fc.weight)
)"},
      {"attention of two heads", R"(graph g(x: float[N,5,6]) -> (out)
parameter q.weight: float[6,8]
parameter q.bias: float[8]
parameter k.weight: float[6,8]
parameter k.bias: float[8]
parameter v.weight: float[6,8]
parameter v.bias: float[8]
parameter out.weight: float[8,6]
q0 = MatMul(x, %q.weight)
q1 = Add(q0, %q.bias)
q2 = Reshape(q1) shape=[0,5,2,4]
q = Transpose(q2) perm=[0,2,1,3]
k0 = MatMul(x, %k.weight)
k1 = Add(k0, %k.bias)
k2 = Reshape(k1) shape=[0,5,2,4]
k = Transpose(k2) perm=[0,2,3,1]
v0 = MatMul(x, %v.weight)
v1 = Add(v0, %v.bias)
v2 = Reshape(v1) shape=[0,5,2,4]
v = Transpose(v2) perm=[0,2,1,3]
qk = MatMul(q, k)
w = Softmax(qk) axis=-1
y = MatMul(w, v)
y1 = Transpose(y) perm=[0,2,1,3]
y2 = Reshape(y1) shape=[0,5,8]
out = MatMul(y2, %out.weight)
)"},
  };
  return networks;
}

/// One of them, by the beginning of its kind.
inline Graph coupled_network(const std::string& kind) {
  for (const auto& network : coupled_networks())
    if (std::string(network.kind).starts_with(kind)) return random_network(network.text);
  throw run_error("no network for '{}'", kind);
}

}  // namespace compress::prune::fixtures
