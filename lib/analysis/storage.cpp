#include "analysis/storage.h"

#include "analysis/entropy.h"
#include "analysis/weight.h"

#include <cmath>

namespace compress::analysis {

namespace {

int64_t whole_bytes(int64_t bits) {
  return (bits + 7) / 8;
}

void choose_packing(Storage& storage) {
  constexpr int64_t kShortPositions = 65'536;
  const int64_t position = storage.elements <= kShortPositions ? 16 : 32;
  const int64_t bitmap = whole_bytes(storage.elements) + whole_bytes(storage.nonzero * storage.bits);
  const int64_t index = whole_bytes(storage.nonzero * (storage.bits + position));
  storage.packed_bytes = storage.dense_bytes;
  const auto consider = [&](Packing packing, int64_t bytes) {
    if (bytes >= storage.packed_bytes) return;
    storage.packed_bytes = bytes;
    storage.packing = packing;
  };
  consider(Packing::bitmap, bitmap);
  consider(Packing::index, index);
}

}  // namespace

std::string_view name_of(Packing packing) {
  switch (packing) {
  case Packing::dense: return "dense";
  case Packing::bitmap: return "bitmap";
  case Packing::index: return "index";
  }
  return "";
}

Storage storage(const Graph& graph, const Parameter& parameter) {
  const bool integers = !at::isFloatingType(parameter.value.scalar_type());  // zero is what stands for zero
  const at::Tensor stored = stored_value(graph, parameter);
  Storage storage{.name = parameter.name,
                  .shape = parameter.value.sizes().vec(),
                  .elements = parameter.value.numel(),
                  .bits = stored_bits(graph, parameter)};
  storage.nonzero = (integers ? real_value(graph, parameter) : stored).count_nonzero().item<int64_t>();
  storage.dense_bytes = whole_bytes(storage.elements * storage.bits);
  choose_packing(storage);
  storage.entropy = entropy(stored);
  storage.entropy_bytes = static_cast<int64_t>(std::ceil(storage.entropy * static_cast<double>(storage.elements) / 8));
  return storage;
}

std::vector<Storage> storage(const Graph& graph) {
  std::vector<Storage> rows;
  for (const Parameter* parameter : learned_parameters(graph)) rows.push_back(storage(graph, *parameter));
  return rows;
}

}  // namespace compress::analysis
