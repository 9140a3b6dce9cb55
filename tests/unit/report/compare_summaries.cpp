#include "core/file.h"
#include "core/text.h"
#include "graph/text_form.h"
#include "report/summary.h"
#include "support/check_error.h"

#include <ATen/core/Tensor.h>

#include <catch2/catch.hpp>

using namespace compress;
using report::SummaryForms;

namespace {

Graph network(int channels, const std::string& last = "c") {
  Graph graph = parse_graph(fmt::format(R"(graph g(x: float[N,3,8,8]) -> (y = {1})
parameter a.weight: float[{0},3,1,1]
parameter b.weight: float[2,{0},1,1]
parameter {1}.weight: float[2,2,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b = Conv(a, %b.weight) kernel_shape=[1,1]
{1} = Conv(b, %{1}.weight) kernel_shape=[1,1]
)",
                                        channels, last));
  for (const auto& name : graph.parameter_names()) graph.writable(name).fill_(1);
  return graph;
}

SummaryForms compared(const std::string& kind, const Graph& before, const Graph& after) {
  const auto& summary = report::find_summary(kind);
  return report::compare_summaries("old", summary.make({.graph = before}), "new", summary.make({.graph = after}));
}

}  // namespace

TEST_CASE("compare_summaries: before, after and change of what shrank; what is the same is counted") {
  const auto forms = compared("compute", network(4), network(3));
  REQUIRE(forms.text ==
          "Before: old\nAfter:  new\n\n"
          "Name  OFM before  OFM after  Weights volume before  Weights volume after  Weights volume change"
          "  MACs before  MACs after  MACs change\n"
          "----  ----------  ---------  ---------------------  --------------------  ---------------------"
          "  -----------  ----------  -----------\n"
          "a     1x4x8x8     1x3x8x8                       12                     9                -25.0 %"
          "          768         576      -25.0 %\n"
          "b     1x2x8x8     1x2x8x8                        8                     6                -25.0 %"
          "          512         384      -25.0 %\n"
          "1 of 3 rows are the same in these columns.\n"
          "Total MACs: 1,536 -> 1,216 (-20.8 %)\n"
          "Effective MACs: 1,536 -> 1,216 (-20.8 %)\n"
          "Total weights: 24 -> 19 (-20.8 %)\n"
          "Weights that are not zero: 24 -> 19 (-20.8 %)\n"
          "Total parameters: 24 -> 19 (-20.8 %)\n"
          "Bytes deployed: 96 -> 76 (-20.8 %)\n");
  const auto& row = forms.json["rows"][0];
  REQUIRE(row["Status"] == "changed");
  REQUIRE(row["MACs before"] == 768);
  REQUIRE(row["MACs after"] == 576);
  REQUIRE(row["MACs change"] == -192);
  REQUIRE(row["OFM after"] == "1x3x8x8");
  REQUIRE_FALSE(row.contains("OFM change"));
  REQUIRE(forms.json["totals"]["total_macs"]["change"] == -320);
  REQUIRE(forms.json["before"] == "old");
  REQUIRE_THAT(forms.sheet.csv(),
               Catch::StartsWith("Name,Status,Type before,Type after,") && Catch::Contains(",768,576,-192,"));
}

TEST_CASE("compare_summaries: layers that vanished and layers that are new") {
  const auto forms = compared("compute", network(4), network(4, "d"));
  const auto& rows = forms.json["rows"];
  REQUIRE(rows.size() == 4);
  REQUIRE(rows[2]["Name"] == "c");
  REQUIRE(rows[2]["Status"] == "removed");
  REQUIRE(rows[2]["MACs after"].is_null());
  REQUIRE(rows[2]["MACs change"] == -256);
  REQUIRE(rows[3]["Status"] == "added");
  REQUIRE(rows[3]["MACs before"].is_null());
  REQUIRE(rows[3]["MACs change"] == 256);
  REQUIRE(rows[3]["Type before"].is_null());
  REQUIRE_THAT(forms.text,
               Catch::Contains("\nc     1x2x8x8     -  ") && Catch::Contains("\nd     -           1x2x8x8"));
  REQUIRE_THAT(forms.text, Catch::Contains("2 of 4 rows are the same in these columns."));
}

TEST_CASE("compare_summaries: measures change by a difference") {
  Graph sparse = network(4);
  sparse.writable("a.weight").narrow(0, 0, 1).zero_();
  const auto forms = compared("sparsity", network(4), sparse);
  REQUIRE(forms.json["rows"][0]["Fine (%) change"] == Approx(25));
  REQUIRE(forms.json["totals"]["total_sparsity"]["after"] == Approx(12.5));
  REQUIRE_THAT(forms.text, Catch::Contains("+25.00") && Catch::Contains("Total sparsity: 0.00 -> 12.50 (+12.50)"));
}

TEST_CASE("compare_summaries: every kind can be compared") {
  for (const auto* summary : report::summaries()) {
    INFO(summary->name);
    if (summary->data != report::SummaryData::unused) continue;  // quantizers.cpp and tests/cli/test_verify.py
    const auto same = compared(std::string(summary->name), network(4), network(4));
    for (const auto& row : same.json["rows"]) REQUIRE(row["Status"] == "same");
    REQUIRE_THAT(same.text, Catch::Contains("rows are the same in these columns."));
    const auto changed = compared(std::string(summary->name), network(4), network(3));
    REQUIRE(changed.sheet.rows() == changed.json["rows"].size());
    // There are neither masks nor, without quantisers, histograms.
    if (!same.json["rows"].empty() && summary->name != "masks") REQUIRE(changed.json["rows"] != same.json["rows"]);
  }
}

TEST_CASE("compare_summaries: a comparison is a table, no picture") {
  report::require_comparison_form("x.CSV");
  test::require_error([] { report::require_comparison_form("x.svg"); }, "a comparison cannot be written to 'x.svg'",
                      "ends with .txt, .csv or .json");
}
