#include "core/text.h"
#include "report/summary.h"

#include <ATen/core/Tensor.h>

namespace compress::report {

namespace {

SummaryForms make_masks(const SummaryRequest& request) {
  const auto& graph = request.graph;
  Sheet sheet({{"Name"},
               {.name = "Fine (%)", .compared = Compared::by_people},
               {.name = "Shape", .compared = Compared::by_people},
               {"Elements"},
               {.name = "Masked", .compared = Compared::by_people}});
  int64_t elements = 0, masked = 0;
  const auto percent = [](int64_t part, int64_t whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  };
  for (const Parameter& parameter : graph.parameters()) {
    if (!parameter.mask.defined()) continue;
    const int64_t count = parameter.mask.numel(), zeros = count - parameter.mask.count_nonzero().item<int64_t>();
    sheet.row({parameter.name, percent(zeros, count), shape_text(parameter.mask.sizes()), count, zeros});
    elements += count;
    masked += zeros;
  }
  const auto fine = percent(masked, elements);
  const bool none = sheet.rows() == 0;
  if (!none) sheet.total({std::string("Total sparsity:"), fine, std::string("-"), elements, masked});
  auto forms = table_forms(std::move(sheet), {{"total_sparsity", "Sparsity of the masks", fine},
                                              {"total_elements", "Elements with a mask", elements},
                                              {"total_masked", "Elements masked", masked}});
  if (none)
    forms.text = "No parameter has a mask. Masks are in run directories; an exported file has zeros in their place.\n";
  return forms;
}

}  // namespace

extern const Summary masks_summary;
const Summary masks_summary{.name = "masks",
                            .doc = "how much of each parameter its mask holds at zero",
                            .files = {".txt", ".csv", ".json"},
                            .make = make_masks};

}  // namespace compress::report
