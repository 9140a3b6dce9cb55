#include "report/summary.h"

#include "core/file.h"
#include "core/text.h"
#include "graph/text_form.h"
#include "support/check_error.h"
#include "support/temporary_folder.h"

#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

using namespace compress;
using report::SummaryForms;

namespace {

Graph attention() {
  return parse_graph(R"(graph g(x: float[N,5,8]) -> (o)
parameter a.q.weight: float[8,8]
parameter a.k.weight: float[8,8]
parameter o.weight: float[5,4]
a.q = MatMul(x, %a.q.weight)
a.k = MatMul(x, %a.k.weight)
a.kt = Transpose(a.k) perm=[0,2,1]
a.scores = MatMul(a.q, a.kt)
a.p = Softmax(a.scores) axis=2
o = MatMul(a.p, %o.weight)
)");
}

SummaryForms made(const std::string& name, const Graph& graph, std::optional<int> depth = {}) {
  return report::find_summary(name).make({.graph = graph, .depth = depth});
}

}  // namespace

TEST_CASE("summary: compute lists every operator that multiplies, with and without weights, and totals them") {
  const auto forms = made("compute", attention());
  const auto& rows = forms.json["rows"];
  REQUIRE(rows.size() == 4);
  REQUIRE(rows[0]["Name"] == "a.q");
  REQUIRE(rows[0]["MACs"] == 5 * 8 * 8);
  REQUIRE(rows[0]["IFM"] == "1x5x8");
  REQUIRE(rows[0]["IFM volume"] == 40);
  REQUIRE(rows[0]["Weights volume"] == 64);
  REQUIRE(rows[0]["Weights bytes"] == 256);
  REQUIRE(rows[2]["Name"] == "a.scores");
  REQUIRE(rows[2]["MACs"] == 5 * 5 * 8);
  REQUIRE(rows[2]["Weights volume"] == 0);
  REQUIRE(forms.json["total_macs"] == 2 * 320 + 200 + 100);
  REQUIRE(forms.json["total_weights"] == 148);
  REQUIRE(rows[0]["Effective MACs"] == 0);
  REQUIRE(forms.json["effective_macs"] == 200);  // scores has no weight
  REQUIRE_THAT(forms.text, Catch::Contains("Total MACs: 940\nEffective MACs: 200, if zeros took no time\n"
                                           "Total weights: 148 (148 of them zero)\n"
                                           "Total parameters: 148, 592 B deployed\n"));
  REQUIRE_THAT(forms.sheet.csv(),
               Catch::StartsWith("Name,Type,Attrs,IFM,IFM volume,OFM,OFM volume,Weights volume,MACs,"
                                 "MACs (%),Effective MACs,Weights bytes\na.q,MatMul,,1x5x8,40,1x5x8,40,64,320,"));
}

TEST_CASE("summary: Distiller's columns of a convolution") {
  const auto rows = made("compute", parse_graph(R"(graph g(x: float[N,3,8,8]) -> (a)
parameter a.weight: float[4,3,3,3]
a = Conv(x, %a.weight) kernel_shape=[3,3] pads=[1,1,1,1]
)"))
                        .json["rows"];
  REQUIRE(rows[0]["Attrs"] == "k=(3, 3)");
  REQUIRE(rows[0]["Type"] == "Conv");
  REQUIRE(rows[0]["OFM"] == "1x4x8x8");
  REQUIRE(rows[0]["OFM volume"] == 256);
}

TEST_CASE("summary: modules are a tree with types, parameters and cost") {
  const auto forms = made("modules", attention());
  const auto& rows = forms.json["rows"];
  REQUIRE(rows.size() == 8);
  REQUIRE(rows[0]["Name"] == "g");
  REQUIRE(rows[0]["Parameters"] == 148);
  REQUIRE(rows[1]["Name"] == "a");
  REQUIRE(rows[1]["Types"]["MatMul"] == 3);
  REQUIRE(rows[1]["Nodes"] == 5);
  REQUIRE(rows[1]["MACs"] == 840);
  REQUIRE(rows[2]["Name"] == "a.q");
  REQUIRE(rows[2]["Output"] == "1x5x8");
  REQUIRE_THAT(forms.text, Catch::Contains("\n  a         3 MatMul, 1 Transpose, 1 Softmax") &&
                               Catch::Contains("\n    q       MatMul "));
  REQUIRE(made("modules", attention(), 1).json["rows"].size() == 3);
}

TEST_CASE("summary: the model is text that reads back, with shapes") {
  const auto forms = made("model", attention());
  REQUIRE_THAT(forms.text, Catch::Contains("a.scores = MatMul(a.q, a.kt)  # 1x5x5\n"));
  REQUIRE(print_graph(parse_graph(forms.text)) == print_graph(attention()));
  REQUIRE(forms.json["nodes"][4]["attributes"]["axis"] == 2);
  REQUIRE(forms.json["nodes"][0]["parameters"] == std::vector<std::string>{"a.q.weight"});
  REQUIRE(forms.json["parameters"][0]["shape"] == Shape{8, 8});
}

TEST_CASE("summary: groups show the free ones first and what blocks the others, within 100 columns") {
  std::string text = "graph g(x: float[N,3]) -> (z)\nparameter z.weight: float[2,4]\n";
  for (int i = 0; i < 12; ++i) text += fmt::format("parameter layer{}.linear.weight: float[4,3]\n", i);
  text += "parameter layer0.linear.bias: float[4]\nl0 = Gemm(x, %layer0.linear.weight, %layer0.linear.bias) transB=1\n";
  for (int i = 1; i < 12; ++i)
    text += fmt::format("l{0} = Gemm(x, %layer{0}.linear.weight) transB=1\ns{0} = Add({1}{2}, l{0})\n", i,
                        i == 1 ? "l" : "s", i - 1);
  text += "z = Gemm(s11, %z.weight) transB=1\n";
  const auto forms = made("groups", parse_graph(text));
  const auto& rows = forms.json["rows"];
  REQUIRE(rows.size() == 3);
  REQUIRE(rows[0]["Group"] == 1);
  REQUIRE(rows[0]["Channels"] == 4);
  REQUIRE(rows[0]["Blocked by"].is_null());
  REQUIRE(rows[0]["Weights"].size() == 13);
  REQUIRE(rows[0]["Vectors"] == std::vector<std::string>{"layer0.linear.bias"});
  REQUIRE(rows[1]["Blocked by"] == "output 'z' of the network");
  REQUIRE(rows[2]["Blocked by"] == "input 'x' of the network");
  REQUIRE(forms.json["free_channels"] == 4);
  for (const auto& line : split(forms.text, '\n')) REQUIRE(line.size() <= 100);
  REQUIRE_THAT(forms.text,
               Catch::Contains("1 vector\n") && Catch::Contains("\n  2  2 channels, blocked by output 'z'"));
}

TEST_CASE("summary: the graph as data has nodes with their share of the cost, and edges with shapes") {
  const auto json = made("graph", attention()).json;
  REQUIRE(json["nodes"].size() == 6);
  REQUIRE(json["nodes"][3]["share"] == Approx(200.0 / 940));
  REQUIRE(json["edges"].back()["to_output"] == true);
  REQUIRE(json["edges"][0]["shape"] == Shape{1, 5, 8});
}

TEST_CASE("summary: sparsity has Distiller's columns, and the total stands apart from the rows") {
  Graph graph = attention();
  graph.writable("a.q.weight").narrow(0, 0, 2).fill_(0.5);
  const auto forms = made("sparsity", graph);
  REQUIRE_THAT(
      forms.sheet.csv(),
      Catch::StartsWith("Name,Shape,NNZ (dense),NNZ (sparse),Cols (%),Rows (%),Ch (%),2D (%),3D (%),Fine (%),Std,"
                        "Mean,Abs-Mean\na.q.weight,8x8,64,16,"));
  REQUIRE_THAT(forms.sheet.csv(), !Catch::Contains("Total"));
  REQUIRE(forms.json["rows"].size() == 3);
  REQUIRE(forms.json["total_dense"] == 148);
  REQUIRE(forms.json["total_nonzero"] == 16);
  REQUIRE(forms.json["total_sparsity"] == Approx(100 * 132.0 / 148));
  REQUIRE_THAT(forms.text, Catch::Contains("\nTotal sparsity:  -") && Catch::Contains("\nTotal sparsity: 89.19\n"));
}

TEST_CASE("summary: masks have a row each, and a model without any says where they are") {
  Graph graph = attention();
  REQUIRE_THAT(made("masks", graph).text, Catch::StartsWith("No parameter has a mask. Masks are in run directories"));
  REQUIRE(made("masks", graph).json["rows"].empty());
  graph.parameter("a.q.weight").mask = at::ones({8, 8});
  graph.parameter("a.q.weight").mask.narrow(0, 0, 2).zero_();
  const auto forms = made("masks", graph);
  REQUIRE(forms.sheet.csv() == "Name,Fine (%),Shape,Elements,Masked\na.q.weight,25,8x8,64,16\n");
  REQUIRE(forms.json["total_sparsity"] == 25);
  REQUIRE_THAT(forms.text, Catch::Contains("Total sparsity:"));
}

TEST_CASE("summary: storage tells dense, packed and the bound that entropy sets") {
  Graph graph = attention();
  graph.writable("a.q.weight").narrow(0, 0, 4).fill_(0.5);
  const auto forms = made("storage", graph);
  const auto& row = forms.json["rows"][0];
  REQUIRE(row["Name"] == "a.q.weight");
  REQUIRE(row["Dense bytes"] == 256);
  REQUIRE(row["Packed bytes"] == 8 + 128);
  REQUIRE(row["Packed as"] == "bitmap");
  REQUIRE(row["Entropy (bits)"] == Approx(1));
  REQUIRE(row["Entropy bytes"] == 8);
  REQUIRE(forms.json["dense_bytes"] == 592);
  REQUIRE(forms.json["packed_bytes"] == 136);
  REQUIRE_THAT(forms.text, Catch::Contains("Dense: 592 B\nZeros left out: 136 B\nEntropy bound: 8 B\n"));
}

TEST_CASE("summary: the model and the drawing have a table of nodes, too") {
  REQUIRE_THAT(made("model", attention()).sheet.csv(),
               Catch::StartsWith("Name,Type,Inputs,Outputs,Shape,Parameters\na.q,MatMul,x,a.q,1x5x8,a.q.weight\n") &&
                   Catch::Contains("\na.scores,MatMul,a.q a.kt,a.scores,1x5x5,\n"));
  REQUIRE_THAT(made("graph", attention()).sheet.csv(), Catch::StartsWith("Name,Type,Class,Output,MACs,Share,Weights,"));
}

TEST_CASE("summary: names that are no UTF-8 are written all the same") {
  Graph graph("g");
  graph.inputs.push_back({.name = "x", .shape = {kBatch, 2}});
  graph.add_parameter({.name = "w\xff", .value = at::ones({2, 2})});
  graph.add({.name = "y\xfe", .op = "MatMul", .inputs = {"x", "w\xff"}});
  graph.outputs.push_back({.name = "y", .value = "y\xfe"});
  for (const auto* summary : report::summaries())
    if (summary->data == report::SummaryData::unused)
      REQUIRE(nlohmann::json::accept(report::json_text(summary->make({.graph = graph}).json)));
}

TEST_CASE("summary: a file has the form that its name asks for") {
  const test::TemporaryFolder folder;
  const auto forms = made("compute", attention());
  report::write_summary(forms, folder.path() / "a.CSV");
  report::write_summary(forms, folder.path() / "a.json");
  report::write_summary(forms, folder.path() / "a.txt");
  REQUIRE(read_file(folder.path() / "a.CSV") == forms.sheet.csv());
  REQUIRE(nlohmann::json::parse(read_file(folder.path() / "a.json")) == forms.json);
  REQUIRE(read_file(folder.path() / "a.txt") == forms.text);
  report::write_summary(made("graph", attention()), folder.path() / "g.svg");
  REQUIRE_THAT(read_file(folder.path() / "g.svg"), Catch::Contains("<svg"));
}

TEST_CASE("summary: endings that a summary does not have are refused with those it has") {
  test::require_error([] { report::require_form(report::find_summary("compute"), "x.pdf"); },
                      "the compute summary cannot be written to 'x.pdf'", "ends with .txt, .csv or .json");
  test::require_error([] { report::require_form(report::find_summary("graph"), "x"); },
                      "the graph summary cannot be written to 'x'", ".svg, .png, .pdf, .dot, .gv, .csv or .json");
  report::require_form(report::find_summary("graph"), "x.DOT");
  test::require_error(
      [] { report::find_summary("sparsety"); }, "there is no summary 'sparsety'", "did you mean 'sparsity'?",
      "compute, graph, groups, histograms, masks, model, modules, quantization, sensitivity, sparsity or storage");
}
