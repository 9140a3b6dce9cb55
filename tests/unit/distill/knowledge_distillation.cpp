#include "unit/distill/support.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <cmath>

using namespace compress;
using namespace compress::distill;
using namespace compress::distill::test;
using compress::test::require_error;

namespace {

/// logits = W x with W = scale * identity.
Graph linear(float scale, const std::string& inputs = "2", const std::string& classes = "2") {
  auto graph = parse_graph("graph g(input: float[N," + inputs + "]) -> (output = fc)\nparameter fc.weight: float[" +
                           classes + "," + inputs + "]\nfc = Gemm(input, %fc.weight) transB=1\n");
  if (inputs == "2" && classes == "2") graph.assign("fc.weight", at::tensor({scale, 0.f, 0.f, scale}).view({2, 2}));
  return graph;
}

std::unique_ptr<Distiller> make_distiller(const std::string& arguments) {
  return made("KnowledgeDistillation", arguments);
}

struct World {
  explicit World(float scale) : graph(linear(scale)) {
    state.inputs = {at::tensor({1.f, 0.f, 0.f, 2.f}).view({2, 2})};
    state.loss = at::ones({});
    state.outputs["output"] = at::tensor({1.f, 0.f, 0.f, 2.f}).view({2, 2});
  }
  Graph graph;
  std::unique_ptr<train::Optimizer> optimizer = train::make_optimizer({});
  std::unique_ptr<train::Task> task = train::make_task({}, "classification");
  data::Splits data = {};
  train::State state{.graph = graph, .optimizer = *optimizer, .data = data, .task = *task};
};

/// KL(softmax(a, 0) || softmax(b, 0)) of two classes.
double divergence(double a, double b) {
  const double p = 1 / (1 + std::exp(-a)), q = 1 / (1 + std::exp(-b));
  return p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q));
}

}  // namespace

TEST_CASE("distillation: the loss is w_s * loss + w_d * T^2 * KL, averaged over the batch", "[distill]") {
  World world(1);
  const auto distiller = make_distiller("{teacher: [big], temperature: 2, student_wt: 0.3, distill_wt: 0.7}");
  bind_to(*distiller, world.graph, 0, [](const std::string&) { return linear(3); });
  distiller->before_backward_pass(world.state);
  const double expected = (divergence(1.5, 0.5) + divergence(3, 1)) / 2;
  REQUIRE(world.state.loss.item<double>() == Approx(0.3 + 0.7 * 4 * expected));
  REQUIRE(world.state.loss_terms.front().first == "distill_loss");
  REQUIRE(world.state.loss_terms.front().second.item<double>() == Approx(expected));
}

TEST_CASE("distillation: the network itself becomes its teacher at the asked epoch, and a resume finds it",
          "[distill]") {
  World world(3);
  const std::string arguments = "{teacher: [self], teacher_epoch: 1}";
  const auto distiller = make_distiller(arguments);
  bind_to(*distiller, world.graph, 2, no_teacher);
  REQUIRE(distiller->save().tensors.empty());
  world.state.epoch = 1;
  distiller->before_epoch(world.state);
  world.graph.assign("fc.weight", at::ones({2, 2}));
  world.state.epoch = 2;
  distiller->before_epoch(world.state);

  const auto resumed = make_distiller(arguments);
  bind_to(*resumed, world.graph, 2, no_teacher);
  resumed->load(distiller->save());
  for (auto* each : {distiller.get(), resumed.get()}) {
    world.state.loss = at::ones({});
    world.state.label_weight.reset();
    each->before_backward_pass(world.state);
    REQUIRE(world.state.loss.item<double>() == Approx(0.5 + 0.5 * (divergence(3, 1) + divergence(6, 2)) / 2));
  }
}

TEST_CASE("distillation: teachers that do not fit are refused", "[distill]") {
  const auto student = linear(1);
  const auto distiller = make_distiller("teacher: [big]");
  require_error([&] { bind_to(*distiller, student, 0, [](const std::string&) { return linear(1, "3"); }); },
                "the teacher takes other inputs (input: 3) than the network (input: 2)",
                "while opening the teacher 'big'");
  require_error([&] { bind_to(*distiller, student, 0, [](const std::string&) { return linear(1, "2", "5"); }); },
                "the teacher's output is 5 for each sample, the network's 2: they must know the same classes");
  require_error([&] { bind_to(*distiller, student, 0, no_teacher); }, "there is no model 'big'",
                "while opening the teacher 'big'");
}

TEST_CASE("distillation: arguments that contradict each other are refused", "[distill]") {
  require_error([] { make_distiller("{teacher: [big], teacher_epoch: 2}")->check(5); },
                "'teacher_epoch' goes with 'teacher: self' only, not with teacher 'big'");
  require_error([] { make_distiller("{teacher: [self], teacher_epoch: 6}")->check(5); },
                "'teacher_epoch' (6) lies behind the policy's first epoch (5)");
  require_error([] { make_distiller("{teacher: [big], temperature: 0}"); },
                "'temperature' must be a number above 0, not 0");
  require_error([] { make_distiller("{}"); }, "missing 'teacher'");
}

TEST_CASE("distillation: without the epoch that makes the teacher there is none", "[distill]") {
  World world(1);
  const auto distiller = make_distiller("teacher: [self]");
  bind_to(*distiller, world.graph, 2, no_teacher);
  require_error([&] { distiller->before_backward_pass(world.state); },
                "there is no teacher: training did not pass epoch 2");
}

TEST_CASE("distillation: several teachers share the divergence, and the loss on the labels counts once", "[distill]") {
  // The numbers are those of feature_values.py.
  const auto model = [](const at::Tensor& logits) {
    auto graph = parse_graph("graph g(input: float[N,3]) -> (output = fc)\nparameter fc.weight: float[3,4]\n"
                             "fc = MatMul(input, %fc.weight)\n");
    graph.assign("fc.weight", logits);
    return graph;
  };
  const OpenModel open = [&](const std::string& spec) {
    return spec == "first" ? model(wave({3, 4}, 0.5).mul(3)) : model(wave({3, 4}, 1.1).mul(2));
  };
  const auto step = [&](const std::vector<std::string>& distillers) {
    World world(1);
    const auto student = model(at::zeros({3, 4}));
    const auto logits = wave({3, 4}, 0.4, 1.5707963267948966).set_requires_grad(true);
    world.state.inputs = {at::eye(3)};
    world.state.outputs["output"] = logits;
    world.state.loss = at::ones({}).mul(10);
    for (const auto& arguments : distillers) {
      const auto distiller = make_distiller(arguments);
      bind_to(*distiller, student, 0, open);
      distiller->before_backward_pass(world.state);
    }
    REQUIRE(world.state.loss.item<double>() == Approx(0.5 * 10 + 0.8332053445).epsilon(1e-6));
    world.state.loss.backward();
    const auto order = at::arange(12).to(at::kFloat).cos();
    REQUIRE(logits.grad().flatten().mul(order).sum().item<double>() == Approx(-0.1357916944).epsilon(1e-5));
  };
  step({"{teacher: [first, second], teacher_weights: [1, 3], temperature: 2, student_wt: 0.5, distill_wt: 1}"});
  step({"{teacher: [first], temperature: 2, student_wt: 0.5, distill_wt: 0.25}",
        "{teacher: [second], temperature: 2, student_wt: 0.5, distill_wt: 0.75}"});
}

TEST_CASE("distillation: weights of teachers that fit no teachers are refused", "[distill]") {
  require_error([] { make_distiller("{teacher: [a, b], teacher_weights: [1]}")->check(0); },
                "'teacher_weights' has 1 numbers for 2 teachers");
  require_error([] { make_distiller("{teacher: [a], teacher_weights: [0]}")->check(0); },
                "'teacher_weights' are all 0: nobody would teach");
  require_error([] { make_distiller("{teacher: []}")->check(0); }, "'teacher' is empty");
}
