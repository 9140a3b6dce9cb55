#include "graph/text_form.h"
#include "report/summary.h"
#include "support/check_error.h"
#include "support/quantization.h"
#include "support/tensors.h"

using namespace compress;

namespace {

Graph simulated_layer() {
  auto graph = test::quantized_linear(3, 4);
  graph.assign("x.quantizer.scale", at::scalar_tensor(0.01, at::kFloat));
  graph.assign("fc.weight", test::wild({3, 4}).to(at::kFloat));
  graph.assign("fc.weight.quantizer.scale", test::numbers({0.008, 0.008, 0.008}).to(at::kFloat));
  graph.assign("fc.bias.quantizer.scale", test::numbers({8e-5, 8e-5, 8e-5}).to(at::kFloat));
  return graph;
}

}  // namespace

TEST_CASE("quantization summary: grids, ranges and errors of weights, bounds of sums, the processor") {
  const auto graph = simulated_layer();
  const auto forms = report::find_summary("quantization").make({.graph = graph});
  REQUIRE(forms.json["rows"].size() == 3);
  REQUIRE(forms.json["rows"][0]["Kind"] == "activation");
  REQUIRE(forms.json["rows"][0]["SQNR (dB)"].is_null());
  REQUIRE(forms.json["rows"][0]["High"].get<double>() == Approx(2.55));
  REQUIRE(forms.json["rows"][1]["Grid"] == "int8 symmetric narrow");
  REQUIRE(forms.json["rows"][1]["Read by"] == nlohmann::json{"fc"});
  REQUIRE(forms.json["rows"][1]["SQNR (dB)"] > 35);
  REQUIRE(forms.json["accumulation"][0]["Layer"] == "fc");
  REQUIRE(forms.json["accumulation"][0]["Weights"] == "signed");
  REQUIRE_THAT(forms.text, Catch::Contains("Activations are looked at with --data.") &&
                               Catch::Contains("Processor: ") &&
                               Catch::Contains("1 layer(s) can overflow the 16-bit sums of x86 without VNNI"));
}

TEST_CASE("quantization summary: sums are compared with the accumulator that the layer was given") {
  auto graph = simulated_layer();
  graph.node("fc.weight.quantizer").attributes.set("accumulator_bits", int64_t{12});
  graph.node("fc").inputs[2] = "fc.bias";
  graph.touch();
  graph.erase("fc.bias.quantizer");
  graph.erase_unused_parameters();
  REQUIRE_THAT(report::find_summary("quantization").make({.graph = graph}).text,
               Catch::Contains("bits, its accumulator has 12."));
}

TEST_CASE("histograms summary: bins, counts and the grid's ends, for plots and for a person") {
  const auto graph = simulated_layer();
  const auto forms = report::find_summary("histograms").make({.graph = graph});
  const auto& histogram = forms.json["histograms"].at(0);
  REQUIRE(histogram["name"] == "fc.weight.quantizer");
  REQUIRE(histogram["edges"].size() == histogram["counts"].size() + 1);
  int64_t total = 0;
  for (const auto& count : histogram["counts"]) total += count.get<int64_t>();
  REQUIRE(total == 12);
  REQUIRE(histogram["counts"].size() <= 128);
  REQUIRE(histogram["range"][1].get<double>() == Approx(1.016));
  REQUIRE_THAT(forms.sheet.csv(),
               Catch::StartsWith("Name,Quantizer,From,To,Count,Grid low,Grid high\nfc.weight.quantizer[0],"));
  REQUIRE_THAT(forms.text, Catch::Contains("fc.weight.quantizer"));
}

TEST_CASE("quantizer summaries: two models can be compared") {
  for (const auto* kind : {"quantization", "histograms"}) {
    const auto forms = report::find_summary(kind).make({.graph = simulated_layer()});
    const auto compared = report::compare_summaries("a", forms, "b", forms);
    REQUIRE(compared.json["rows"].size() >= 2);
    for (const auto& row : compared.json["rows"]) REQUIRE(row["Status"] == "same");
  }
}

TEST_CASE("quantizer summaries: a model in floating point is refused") {
  const auto graph = parse_graph("graph g(x: float[N,4]) -> (y = a)\na = Relu(x)\n");
  for (const auto* kind : {"quantization", "histograms"})
    test::require_error([&] { report::find_summary(kind).make({.graph = graph}); },
                        "the model has no simulated quantisers", "compress quantize");
}

TEST_CASE("summary: data are asked for where they are needed, and refused where nobody looks") {
  using report::find_summary, report::require_data;
  require_data(find_summary("quantization"), true);
  require_data(find_summary("quantization"), false);
  require_data(find_summary("compute"), false);
  test::require_error([] { require_data(find_summary("sensitivity"), false); }, "the sensitivity summary needs samples",
                      "add --data");
  test::require_error([] { require_data(find_summary("compute"), true); }, "the compute summary does not look at data",
                      "leave --data out");
}
