#include "data/npy.h"

#include "core/text.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

namespace compress::data {

namespace {

constexpr std::string_view kNpyMagic("\x93NUMPY", 6);
constexpr size_t kMostHeader = 1 << 20;
constexpr size_t kMostAxes = 32;  // NumPy's own limit was 32 for long

static_assert(std::endian::native == std::endian::little);

/// Reads the header, a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class NpyHeader {
public:
  NpyHeader(std::string_view text, NpyArray& array) : rest_(text), array_(array) {}

  void read() {
    expect('{');
    while (!accept('}')) {
      const auto key = quoted();
      expect(':');
      if (key == "descr")
        type();
      else if (key == "fortran_order")
        order();
      else if (key == "shape")
        sizes();
      else
        throw bad("the header has an unknown key");
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!typed_ || !ordered_ || !sized_) throw bad("the header lacks descr, fortran_order or shape");
  }

private:
  Error bad(std::string_view why) const {
    return request_error("'{}' is no readable .npy array: {}", array_.name, why);
  }

  void skip_spaces() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size())); }

  bool accept(char wanted) {
    skip_spaces();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) throw bad(fmt::format("the header has no '{}' where one is needed", wanted));
  }

  std::string quoted() {
    skip_spaces();
    const char quote = rest_.empty() ? '\0' : rest_[0];
    const auto end = quote == '\'' || quote == '"' ? rest_.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos) throw bad("the header has no text where one is needed");
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }

  void type() {
    skip_spaces();
    if (rest_.starts_with('['))
      throw request_error("'{}' holds a structured array; plain numbers are read", array_.name)
          .hint("save each of its fields as an array of its own");
    const auto text = quoted();
    const std::string_view order = text.empty() ? "" : std::string_view(text).substr(0, 1);
    const bool has_order = !order.empty() && std::string_view("<>|=").find(order[0]) != std::string_view::npos;
    const auto code = std::string_view(text).substr(has_order ? 1 : 0);
    if (code.starts_with('O'))
      throw request_error("'{}' holds Python objects, which only pickle could read", array_.name)
          .hint("save numbers: numpy.save(file, array.astype('float32'))");
    constexpr std::string_view kKnown[] = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"};
    if (std::ranges::find(kKnown, code) == std::end(kKnown))
      throw request_error("'{}' holds numbers of type '{}'; read are float16/32/64, integers of 8 to 64 bits and bool",
                          array_.name, text);
    array_.kind = code[0];
    array_.width = code[1] - '0';
    array_.big_endian = order == ">";
    typed_ = true;
  }

  void order() {
    skip_spaces();
    array_.fortran = rest_.starts_with("True");
    if (!array_.fortran && !rest_.starts_with("False")) throw bad("fortran_order is neither True nor False");
    rest_.remove_prefix(array_.fortran ? 4 : 5);
    ordered_ = true;
  }

  void sizes() {
    expect('(');
    array_.shape.clear();
    while (!accept(')')) {
      skip_spaces();
      int64_t size = -1;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (error != std::errc() || size < 0 || array_.shape.size() == kMostAxes) throw bad("its shape is impossible");
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      array_.shape.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    sized_ = true;
  }

  std::string_view rest_;
  NpyArray& array_;
  bool typed_ = false, ordered_ = false, sized_ = false;
};

size_t little_endian(std::string_view bytes, size_t at, size_t width) {
  size_t value = 0;
  for (size_t i = 0; i < width; ++i) value |= static_cast<size_t>(static_cast<uint8_t>(bytes[at + i])) << 8 * i;
  return value;
}

/// Throws unless as many bytes are there as the shape needs.
void check_npy_size(const NpyArray& array) {
  int64_t needed = array.width;
  for (const int64_t size : array.shape)
    if (__builtin_mul_overflow(needed, size, &needed))
      throw request_error("'{}' claims an impossible size: {}", array.name, shape_text(array.shape));
  const auto there = static_cast<int64_t>(array.bytes.size() - array.offset);
  if (there != needed)
    throw request_error("'{}' is {}: {} numbers of {} bytes need {} bytes, it has {}", array.name,
                        there < needed ? "cut" : "too long", shape_text(array.shape), array.width, with_commas(needed),
                        with_commas(there));
}

template <class From, class To>
void copy_numbers(const NpyArray& array, To* to, int64_t count) {
  const char* from = array.bytes.data() + array.offset;
  for (int64_t i = 0; i < count; ++i, from += sizeof(From)) {
    char bytes[sizeof(From)];
    std::memcpy(bytes, from, sizeof bytes);
    if (array.big_endian) std::reverse(bytes, bytes + sizeof bytes);
    From value;
    std::memcpy(&value, bytes, sizeof value);
    if constexpr (std::is_same_v<From, c10::Half>)
      to[i] = static_cast<To>(static_cast<float>(value));
    else
      to[i] = static_cast<To>(value);
  }
}

template <class To>
void copy_all(const NpyArray& array, To* to) {
  int64_t count = 1;
  for (const int64_t size : array.shape) count *= size;
  switch (array.kind == 'f' ? array.width * 10 : array.kind == 'i' ? array.width : -array.width) {
  case 20: return copy_numbers<c10::Half>(array, to, count);
  case 40: return copy_numbers<float>(array, to, count);
  case 80: return copy_numbers<double>(array, to, count);
  case 1: return copy_numbers<int8_t>(array, to, count);
  case 2: return copy_numbers<int16_t>(array, to, count);
  case 4: return copy_numbers<int32_t>(array, to, count);
  case 8: return copy_numbers<int64_t>(array, to, count);
  case -2: return copy_numbers<uint16_t>(array, to, count);
  case -4: return copy_numbers<uint32_t>(array, to, count);
  case -8: return copy_numbers<uint64_t>(array, to, count);
  default: return copy_numbers<uint8_t>(array, to, count);
  }
}

}  // namespace

at::ScalarType NpyArray::natural_type() const {
  if (kind == 'f') return at::kFloat;
  return width == 1 && kind != 'i' ? at::kByte : at::kLong;
}

at::Tensor NpyArray::tensor(at::ScalarType type) const {
  std::vector<int64_t> sizes = shape, axes;
  if (fortran) std::ranges::reverse(sizes);
  for (auto axis = static_cast<int64_t>(sizes.size()); axis-- > 0;) axes.push_back(axis);
  at::Tensor numbers = at::empty(sizes, type);
  if (type == at::kFloat)
    copy_all(*this, numbers.mutable_data_ptr<float>());
  else if (type == at::kLong)
    copy_all(*this, numbers.mutable_data_ptr<int64_t>());
  else
    copy_all(*this, numbers.mutable_data_ptr<uint8_t>());
  return fortran ? numbers.permute(axes).contiguous() : numbers;
}

NpyArray parse_npy(std::string bytes, std::string name) {
  NpyArray array{.name = std::move(name), .bytes = std::move(bytes)};
  const std::string_view text = array.bytes;
  const auto bad = [&](std::string_view why) {
    return request_error("'{}' is no readable .npy array: {}", array.name, why);
  };
  if (!text.starts_with(kNpyMagic)) throw bad("it does not start with \\x93NUMPY");
  if (text.size() < kNpyMagic.size() + 6) throw bad("it is cut");
  const auto version = static_cast<uint8_t>(text[kNpyMagic.size()]);
  if (version < 1 || version > 3) throw bad(fmt::format("version {} is not known", version));
  const size_t start = kNpyMagic.size() + 2, length_bytes = version == 1 ? 2 : 4;
  const size_t length = little_endian(text, start, length_bytes);
  if (length > kMostHeader) throw bad(fmt::format("its header claims {} bytes", length));
  array.offset = start + length_bytes + length;
  if (array.offset > text.size()) throw bad("it is cut");
  NpyHeader(text.substr(start + length_bytes, length), array).read();
  check_npy_size(array);
  return array;
}

}  // namespace compress::data
