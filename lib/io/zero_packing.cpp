#include "io/zero_packing.h"

#include "core/error.h"
#include "core/text.h"
#include "graph/graph.h"
#include "io/onnx_tensor.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

namespace compress::io {
namespace {

using Json = nlohmann::json;

constexpr const char* kShapes = "packed";
constexpr const char* kDamaged = "the file is damaged; copy it again";
/// What three names and a shape add to a file's header.
constexpr int64_t kNameBytes = 512;

int64_t bytes_for(int64_t bits) {
  return (bits + 7) / 8;
}

/// Calls back with the elements as unsigned words of their size, and the bits of a word that tell zero from other
/// elements (all but the sign of a floating-point number). False when there are no such words.
template <class Body>
bool with_words(const at::Tensor& tensor, Body&& body) {
  const bool floating = at::isFloatingType(tensor.scalar_type());
  const auto call = [&]<class Word>(Word all) {
    body(static_cast<const Word*>(tensor.const_data_ptr()), static_cast<Word>(floating ? all >> 1 : all));
    return true;
  };
  switch (tensor.element_size()) {
  case 1: return call(uint8_t{0xff});
  case 2: return call(uint16_t{0xffff});
  case 4: return call(~uint32_t{0});
  case 8: return call(~uint64_t{0});
  default: return false;
  }
}

struct ZeroCount {
  int64_t zeros = 0, minus_zeros = 0;
  bool alike = true;  ///< all others are the same
};

template <class Word>
ZeroCount count_zeros(const Word* words, int64_t count, Word magnitude) {
  ZeroCount found;
  for (int64_t i = 0; i < count; ++i) {
    const bool zero = (words[i] & magnitude) == 0;
    found.zeros += zero;
    found.minus_zeros += zero && words[i] != 0;
  }
  const auto other = [&](Word word) { return (word & magnitude) != 0; };
  const auto* first = std::find_if(words, words + count, other);
  found.alike = std::all_of(first, words + count, [&](Word word) { return !other(word) || word == *first; });
  return found;
}

std::optional<ZeroCount> zero_count(const at::Tensor& plain) {
  std::optional<ZeroCount> found;
  with_words(plain, [&](const auto* words, auto magnitude) { found = count_zeros(words, plain.numel(), magnitude); });
  return found;
}

int64_t stored_values(const ZeroCount& found, int64_t count) {
  const auto others = count - found.zeros;
  return found.alike ? std::min<int64_t>(others, 1) : others;
}

bool is_worth_packing(const at::Tensor& plain, const ZeroCount& found) {
  const auto count = plain.numel();
  const auto packed = bytes_for(count) + stored_values(found, count) * plain.element_size() +
                      (found.minus_zeros > 0 ? bytes_for(found.zeros) : 0);
  return packed + kNameBytes < static_cast<int64_t>(plain.nbytes());
}

struct ZeroParts {
  at::Tensor bits, values, signs;
};

template <class Word>
void write_parts(const Word* words, int64_t count, Word magnitude, const ZeroParts& parts) {
  auto* bits = parts.bits.mutable_data_ptr<uint8_t>();
  auto* signs = parts.signs.defined() ? parts.signs.mutable_data_ptr<uint8_t>() : nullptr;
  auto* values = static_cast<Word*>(parts.values.mutable_data_ptr());
  const auto kept = parts.values.numel();
  int64_t zero = 0, other = 0;
  for (int64_t i = 0; i < count; ++i) {
    if ((words[i] & magnitude) != 0) {
      bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | 1 << i % 8);
      if (other < kept) values[other++] = words[i];
      continue;
    }
    if (signs && words[i] != 0) signs[zero / 8] = static_cast<uint8_t>(signs[zero / 8] | 1 << zero % 8);
    ++zero;
  }
}

ZeroParts parts_of(const at::Tensor& plain, const ZeroCount& found) {
  const auto count = plain.numel();
  const auto bytes = at::TensorOptions(at::kByte);
  ZeroParts parts{at::zeros({bytes_for(count)}, bytes),
                  at::empty({stored_values(found, count)}, at::TensorOptions(plain.scalar_type())),
                  found.minus_zeros > 0 ? at::zeros({bytes_for(found.zeros)}, bytes) : at::Tensor()};
  with_words(plain, [&](const auto* words, auto magnitude) { write_parts(words, count, magnitude, parts); });
  return parts;
}

std::string part_name(const std::string& name, const char* part) {
  return std::string(kPackedPrefix) + name + "/" + part;
}

/// The parts of one tensor, taken out of the file.
class PartReader {
public:
  PartReader(TensorFile& file, const std::string& name, Shape shape)
      : name_(name), shape_(std::move(shape)), count_(element_count(shape_).value_or(-1)) {
    parts_ = {take(file, "bits"), take(file, "values"), take(file, "signs")};
  }

  at::Tensor tensor() const {
    check();
    auto tensor = at::empty(shape_, at::TensorOptions(parts_.values.scalar_type()));
    with_words(tensor, [&]<class Word>(const Word*, Word) { fill(static_cast<Word*>(tensor.mutable_data_ptr())); });
    return tensor;
  }

private:
  at::Tensor take(TensorFile& file, const char* part) const {
    const auto found = file.tensors.find(part_name(name_, part));
    if (found == file.tensors.end()) return {};
    auto tensor = found->second;
    file.tensors.erase(found);
    return tensor;
  }

  Error damaged(const std::string& why) const {
    return request_error("the packed tensor '{}' {}", name_, why).hint(kDamaged);
  }

  /// Nothing is allocated before the sizes fit the data present.
  void check() const {
    if (!parts_.bits.defined() || !parts_.values.defined()) throw damaged("has no bits or no values");
    if (count_ < 0 || parts_.bits.scalar_type() != at::kByte || parts_.bits.numel() != bytes_for(count_))
      throw damaged(
          fmt::format("has {} bytes of bits, which do not fit its shape {}", parts_.bits.nbytes(), shape_text(shape_)));
    const auto* bits = parts_.bits.const_data_ptr<uint8_t>();
    if (count_ % 8 != 0 && bits[count_ / 8] >> count_ % 8 != 0) throw damaged("has bits behind its last element");
    int64_t others = 0;
    for (int64_t i = 0; i < parts_.bits.numel(); ++i) others += std::popcount(bits[i]);
    const auto values = parts_.values.numel();
    if (values != others && !(values == 1 && others > 1))
      throw damaged(fmt::format("has {} values for {} elements that are not zero", values, others));
    if (parts_.signs.defined() &&
        (!at::isFloatingType(parts_.values.scalar_type()) || parts_.signs.scalar_type() != at::kByte ||
         parts_.signs.numel() != bytes_for(count_ - others)))
      throw damaged("has signs that do not fit its zeros");
  }

  template <class Word>
  void fill(Word* words) const {
    constexpr Word kMinusZero = Word{1} << (8 * sizeof(Word) - 1);
    const auto* values = static_cast<const Word*>(parts_.values.const_data_ptr());
    const int64_t step = parts_.values.numel() > 1 ? 1 : 0;
    int64_t zero = 0, other = 0;
    const auto is_set = [](const uint8_t* bits, int64_t i) { return (bits[i / 8] >> i % 8 & 1) != 0; };
    const auto* bits = parts_.bits.const_data_ptr<uint8_t>();
    const auto* signs = parts_.signs.defined() ? parts_.signs.const_data_ptr<uint8_t>() : nullptr;
    for (int64_t i = 0; i < count_; ++i) {
      if (is_set(bits, i))
        words[i] = values[step * other++];
      else
        words[i] = signs && is_set(signs, zero++) ? kMinusZero : Word{0};
    }
  }

  std::string name_;
  Shape shape_;
  int64_t count_;
  ZeroParts parts_;
};

Shape read_shape(const std::string& name, const Json& json) {
  const auto is_size = [](const Json& size) { return size.is_number_unsigned() && size < (uint64_t{1} << 48); };
  if (!json.is_array() || !std::ranges::all_of(json, is_size))
    throw request_error("the packed tensor '{}' has no shape", name).hint(kDamaged);
  return json.get<Shape>();
}

}  // namespace

bool is_worth_packing(const at::Tensor& tensor) {
  if (static_cast<int64_t>(tensor.nbytes()) <= kNameBytes) return false;
  const auto plain = tensor.detach().to(at::kCPU).contiguous();
  const auto found = zero_count(plain);
  return found && is_worth_packing(plain, *found);
}

TensorFile pack_zeros(const std::map<std::string, at::Tensor>& tensors) {
  TensorFile file;
  auto shapes = Json::object();
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(kPackedPrefix)) throw run_error("the name '{}' is kept for packed tensors", name);
    const auto plain = tensor.detach().to(at::kCPU).contiguous();
    const auto found = zero_count(plain);
    if (!found || !is_worth_packing(plain, *found)) {
      file.tensors[name] = tensor;
      continue;
    }
    const auto parts = parts_of(plain, *found);
    shapes[name] = plain.sizes().vec();
    file.tensors[part_name(name, "bits")] = parts.bits;
    file.tensors[part_name(name, "values")] = parts.values;
    if (parts.signs.defined()) file.tensors[part_name(name, "signs")] = parts.signs;
  }
  if (!shapes.empty()) file.metadata[kShapes] = shapes.dump(-1, ' ', false, Json::error_handler_t::replace);
  return file;
}

std::map<std::string, at::Tensor> unpack_zeros(TensorFile file) {
  const auto record = file.metadata.find(kShapes);
  if (record == file.metadata.end()) return std::move(file.tensors);
  const auto shapes = Json::parse(record->second, nullptr, false);
  if (!shapes.is_object()) throw request_error("the list of packed tensors is no JSON object").hint(kDamaged);
  for (const auto& [name, shape] : shapes.items()) {
    auto tensor = PartReader(file, name, read_shape(name, shape)).tensor();
    if (!file.tensors.emplace(name, std::move(tensor)).second)
      throw request_error("the tensor '{}' is there twice, packed and not", name).hint(kDamaged);
  }
  return std::move(file.tensors);
}

}  // namespace compress::io
