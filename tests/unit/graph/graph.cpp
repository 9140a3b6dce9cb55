#include "graph/graph.h"

#include "graph/text_form.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::require_error;

namespace {

Graph chain() {
  return parse_graph(R"(graph chain(x: float[N,4]) -> (y = c)
parameter a.weight: float[4,4]
a = MatMul(x, %a.weight)
b = Relu(a)
c = Add(a, b)
)");
}

}  // namespace

TEST_CASE("graph: a clone's write does not touch the original") {
  Graph original = chain();
  Graph copy = original.clone();
  REQUIRE(original.parameter("a.weight").value.data_ptr() == copy.parameter("a.weight").value.data_ptr());
  copy.writable("a.weight").fill_(7);
  REQUIRE(original.parameter("a.weight").value.sum().item<float>() == 0);
  REQUIRE(copy.parameter("a.weight").value.sum().item<float>() == 16 * 7);
}

TEST_CASE("graph: the original's write does not touch a clone either") {
  Graph original = chain();
  const Graph copy = original.clone();
  original.writable("a.weight").fill_(7);
  REQUIRE(copy.parameter("a.weight").value.sum().item<float>() == 0);
}

TEST_CASE("graph: nothing is copied once the clone is gone or has its own storage") {
  Graph original = chain();
  const void* before = original.parameter("a.weight").value.data_ptr();
  { const Graph gone = original.clone(); }
  REQUIRE(original.writable("a.weight").data_ptr() == before);
  Graph copy = original.clone();
  copy.own_storage();
  REQUIRE(original.writable("a.weight").data_ptr() == before);
}

TEST_CASE("graph: a clone's nodes are its own") {
  Graph original = chain();
  Graph copy = original.clone();
  copy.node("b").op = "Tanh";
  copy.rename_node("a", "first");
  REQUIRE(original.node("b").op == "Relu");
  REQUIRE(original.find_node("first") == nullptr);
  REQUIRE(original.node("c").inputs == std::vector<std::string>{"a", "b"});
  REQUIRE(copy.node("c").inputs == std::vector<std::string>{"first", "b"});
}

TEST_CASE("graph: the version changes with structure and exchanged tensors, not with writes in place") {
  Graph graph = chain();
  const auto start = graph.version();
  graph.writable("a.weight").fill_(1);
  REQUIRE(graph.version() == start);
  graph.assign("a.weight", graph.parameter("a.weight").value.clone());
  const auto assigned = graph.version();
  REQUIRE(assigned != start);
  graph.add({.name = "d", .op = "Relu", .inputs = {"c"}});
  REQUIRE(graph.version() != assigned);
}

TEST_CASE("graph: producers and consumers follow edits") {
  Graph graph = chain();
  REQUIRE(graph.producer("a")->op == "MatMul");
  REQUIRE(graph.producer("x") == nullptr);
  REQUIRE(graph.consumers("a").size() == 2);
  graph.insert_after(graph.node("a"), {.name = "mid", .op = "Tanh", .inputs = {"a"}});
  graph.replace_uses("a", "mid", "mid");
  REQUIRE(graph.node("b").inputs.front() == "mid");
  REQUIRE(graph.node("mid").inputs.front() == "a");
  REQUIRE(graph.consumers("a").size() == 1);
}

TEST_CASE("graph: the outputs of a node with several have numbers") {
  Graph graph = parse_graph("graph g(x: float[N,4]) -> (b)\na, a:1 = Split(x) axis=1\nb = Add(a, a:1)\n");
  REQUIRE(graph.producer("a:1") == &graph.node("a"));
  REQUIRE(graph.producer("a:2") == nullptr);
  graph.rename_node("a", "parts");
  REQUIRE(graph.node("b").inputs == std::vector<std::string>{"parts", "parts:1"});
}

TEST_CASE("graph: sort restores the order of nodes") {
  Graph graph("g");
  graph.inputs.push_back({"x", {kBatch, 2}});
  graph.add({.name = "c", .op = "Relu", .inputs = {"b"}});
  graph.add({.name = "b", .op = "Relu", .inputs = {"a"}});
  graph.add({.name = "a", .op = "Relu", .inputs = {"x"}});
  graph.sort();
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  REQUIRE(names == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("graph: a cycle is named") {
  Graph graph("g");
  graph.inputs.push_back({"x", {kBatch, 2}});
  graph.add({.name = "a", .op = "Add", .inputs = {"x", "b"}});
  graph.add({.name = "b", .op = "Relu", .inputs = {"a"}});
  require_error([&] { graph.sort(); }, "'g' has a cycle: 'a' -> 'b' -> 'a'");
}

TEST_CASE("graph: names are unique and looked up with a suggestion") {
  Graph graph = chain();
  require_error([&] { graph.add({.name = "a", .op = "Relu", .inputs = {"x"}}); },
                "the name 'a' is already used in 'chain'");
  require_error([&] { graph.add({.name = "", .op = "Relu"}); }, "has an empty name");
  require_error([&] { graph.parameter("a.wieght"); }, "did you mean 'a.weight'?");
  require_error([&] { graph.node("bb"); }, "'chain' has no node 'bb'");
  REQUIRE(graph.unique_name("a") == "a_1");
}

TEST_CASE("graph: what is still read cannot be removed") {
  Graph graph = chain();
  require_error([&] { graph.erase("b"); }, "cannot remove node 'b': node 'c' reads it");
  require_error([&] { graph.erase("c"); }, "it makes an output of the graph");
  require_error([&] { graph.erase_parameter("a.weight"); }, "cannot remove parameter 'a.weight': node 'a' reads it");
  graph.add_parameter({.name = "spare", .value = graph.parameter("a.weight").value});
  REQUIRE(graph.erase_unused_parameters() == std::vector<std::string>{"spare"});
}

TEST_CASE("changes: later changes compose with earlier ones") {
  Changes changes;
  changes.renamed = {{"a", "b"}};
  changes.sliced = {{"b", 0, {0, 1}}, {"gone", 0, {0}}};
  changes.added = {"new"};
  Changes later;
  later.renamed = {{"b", "c"}, {"new", "newer"}};
  later.removed = {"gone"};
  later.sliced = {{"c", 1, {0}}, {"newer", 0, {0}}};
  later.nodes_changed = 2;
  changes.append(later);
  REQUIRE(changes.renamed == std::vector<std::pair<std::string, std::string>>{{"a", "c"}});
  REQUIRE(changes.added == std::vector<std::string>{"newer"});
  REQUIRE(changes.removed == std::vector<std::string>{"gone"});
  REQUIRE(changes.sliced.size() == 2);
  REQUIRE(changes.sliced[0].parameter == "c");
  REQUIRE(changes.sliced[1].parameter == "c");
  REQUIRE(changes.sliced[1].axis == 1);
  REQUIRE(changes.nodes_changed == 2);
}

TEST_CASE("attributes: a getter takes a default and refuses another type") {
  Attributes attributes;
  attributes.set("axis", int64_t{1});
  REQUIRE(attributes.integer("axis", 0) == 1);
  REQUIRE(attributes.number("axis", 0) == 1.0);
  REQUIRE(attributes.integer("absent", 5) == 5);
  require_error([&] { (void)attributes.integers("axis", {}); }, "attribute 'axis' is not a list of integers");
}
