#include "distill/distiller.h"
#include "graph/text_form.h"
#include "support/check_error.h"
#include "train/optimizer.h"
#include "train/task.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

#include <cmath>

using namespace compress;
using namespace compress::distill;
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
  auto made = distillers().make("KnowledgeDistillation");
  Settings settings;
  made->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), "KnowledgeDistillation");
  return made;
}

void bind_to(Distiller& distiller, const Graph& student, int64_t starting_epoch, const OpenModel& open) {
  Problems problems;
  distiller.check(starting_epoch);
  distiller.bind(student, open, starting_epoch, problems);
  problems.raise();
}

Graph no_model(const std::string& spec) {
  throw request_error("there is no model '{}'", spec);
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
  const auto distiller = make_distiller("{teacher: big, temperature: 2, student_wt: 0.3, distill_wt: 0.7}");
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
  const std::string arguments = "{teacher: self, teacher_epoch: 1}";
  const auto distiller = make_distiller(arguments);
  bind_to(*distiller, world.graph, 2, no_model);
  REQUIRE(distiller->save().tensors.empty());
  world.state.epoch = 1;
  distiller->before_epoch(world.state);
  world.graph.assign("fc.weight", at::ones({2, 2}));
  world.state.epoch = 2;
  distiller->before_epoch(world.state);

  const auto resumed = make_distiller(arguments);
  bind_to(*resumed, world.graph, 2, no_model);
  resumed->load(distiller->save());
  for (auto* each : {distiller.get(), resumed.get()}) {
    world.state.loss = at::ones({});
    each->before_backward_pass(world.state);
    REQUIRE(world.state.loss.item<double>() == Approx(0.5 + 0.5 * (divergence(3, 1) + divergence(6, 2)) / 2));
  }
}

TEST_CASE("distillation: teachers that do not fit are refused", "[distill]") {
  const auto student = linear(1);
  const auto distiller = make_distiller("teacher: big");
  require_error([&] { bind_to(*distiller, student, 0, [](const std::string&) { return linear(1, "3"); }); },
                "the teacher takes other inputs (input: 3) than the network (input: 2)",
                "while opening the teacher 'big'");
  require_error([&] { bind_to(*distiller, student, 0, [](const std::string&) { return linear(1, "2", "5"); }); },
                "the teacher's output is 5 for each sample, the network's 2: they must know the same classes");
  require_error([&] { bind_to(*distiller, student, 0, no_model); }, "there is no model 'big'",
                "while opening the teacher 'big'");
}

TEST_CASE("distillation: arguments that contradict each other are refused", "[distill]") {
  require_error([] { make_distiller("{teacher: big, teacher_epoch: 2}")->check(5); },
                "'teacher_epoch' goes with 'teacher: self' only, not with teacher 'big'");
  require_error([] { make_distiller("{teacher: self, teacher_epoch: 6}")->check(5); },
                "'teacher_epoch' (6) lies behind the policy's first epoch (5)");
  require_error([] { make_distiller("{teacher: big, temperature: 0}"); },
                "'temperature' must be a number above 0, not 0");
  require_error([] { make_distiller("{}"); }, "missing 'teacher'");
}

TEST_CASE("distillation: without the epoch that makes the teacher there is none", "[distill]") {
  World world(1);
  const auto distiller = make_distiller("teacher: self");
  bind_to(*distiller, world.graph, 2, no_model);
  require_error([&] { distiller->before_backward_pass(world.state); },
                "there is no teacher: training did not pass epoch 2");
}
