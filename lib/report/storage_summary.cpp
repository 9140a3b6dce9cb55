#include "analysis/storage.h"
#include "core/text.h"
#include "report/summary.h"

namespace compress::report {

namespace {

SummaryForms make_storage(const SummaryRequest& request) {
  const auto& graph = request.graph;
  Sheet sheet({{"Name"},
               {.name = "Shape", .compared = Compared::by_people},
               {"Elements"},
               {"NNZ"},
               {"Bits"},
               {.name = "Dense bytes", .compared = Compared::by_people},
               {.name = "Packed bytes", .compared = Compared::by_people},
               {"Packed as"},
               {"Entropy (bits)"},
               {.name = "Entropy bytes", .compared = Compared::by_people}});
  int64_t elements = 0, nonzero = 0, dense = 0, packed = 0, entropy = 0;
  for (const auto& row : analysis::storage(graph)) {
    sheet.row({row.name, shape_text(row.shape), row.elements, row.nonzero, row.bits, row.dense_bytes, row.packed_bytes,
               std::string(analysis::name_of(row.packing)), row.entropy, row.entropy_bytes});
    elements += row.elements;
    nonzero += row.nonzero;
    dense += row.dense_bytes;
    packed += row.packed_bytes;
    entropy += row.entropy_bytes;
  }
  sheet.total({std::string("Total:"), std::string("-"), elements, nonzero, {}, dense, packed, {}, {}, entropy});
  return table_forms(std::move(sheet),
                     {{"total_elements", "Elements", elements},
                      {"total_nonzero", "Elements that are not zero", nonzero},
                      {"dense_bytes", "Dense bytes", dense},
                      {"packed_bytes", "Packed bytes", packed},
                      {"entropy_bytes", "Entropy bytes", entropy}},
                     fmt::format("Dense: {}\nZeros left out: {}\nEntropy bound: {}\n", human_bytes(dense),
                                 human_bytes(packed), human_bytes(entropy)));
}

}  // namespace

extern const Summary storage_summary;
const Summary storage_summary{
    .name = "storage",
    .doc = "bytes of each parameter: dense, with zeros left out, and the bound that entropy sets",
    .files = {".txt", ".csv", ".json"},
    .make = make_storage};

}  // namespace compress::report
