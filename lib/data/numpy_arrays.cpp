#include "data/numpy_arrays.h"

#include "core/file.h"
#include "core/text.h"
#include "data/zip_file.h"

#include <algorithm>
#include <filesystem>

namespace compress::data {

namespace {

namespace fs = std::filesystem;

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

/// Takes the word of the split out of a name.
ArraySource named_source(const std::string& path_of_array, std::string file, std::string member) {
  std::string text = to_lower(path_of_array);
  for (char& c : text)
    if (c == '/' || c == '-' || c == '.' || c == ' ') c = '_';
  ArraySource source{.file = std::move(file), .member = std::move(member)};
  std::vector<std::string> rest;
  for (const auto& word : split(text, '_')) {
    if (source.split.empty() && is_one_of(word, {"train", "training"}))
      source.split = "train";
    else if (source.split.empty() && is_one_of(word, {"test", "testing"}))
      source.split = "test";
    else if (source.split.empty() && is_one_of(word, {"val", "valid", "validation"}))
      source.split = "validation";
    else if (!word.empty())
      rest.push_back(word);
  }
  source.name = join(rest, "_");
  return source;
}

/// "x_train" of x_train.npy and train/x.npy, and of a member of either in an .npz.
void add_file(const fs::path& file, const fs::path& root, std::vector<ArraySource>& sources) {
  const auto ending = to_lower(file.extension().string());
  const auto relative = fs::relative(file, root).replace_extension().string();
  if (ending == ".npy") sources.push_back(named_source(relative, file.string(), ""));
  if (ending != ".npz") return;
  for (const auto& member : ZipFile(read_file(file), file.string()).names()) {
    if (!member.ends_with(".npy")) continue;
    const auto stem = member.substr(0, member.size() - 4);
    auto source = named_source(stem, file.string(), member);
    if (source.split.empty()) source.split = named_source(relative, "", "").split;  // train.npz
    sources.push_back(std::move(source));
  }
}

/// The held-out arrays are the test split, unless there is one by that name.
void settle_validation(std::vector<ArraySource>& sources) {
  if (std::ranges::find(sources, "test", &ArraySource::split) != sources.end())
    std::erase_if(sources, [](const ArraySource& source) { return source.split == "validation"; });
  for (auto& source : sources)
    if (source.split == "validation") source.split = "test";
}

using Layout = ArrayRules::Layout;

bool has_channels_last(const Shape& sample, Layout layout) {
  if (layout != Layout::automatic) return layout == Layout::channels_last;
  const auto few = [](int64_t size) { return size == 1 || size == 3 || size == 4; };
  return few(sample[2]) && !few(sample[0]);
}

/// The name of a field that users call by many names.
std::string usual_name(const ArraySource& source, const NpyArray& array) {
  const auto& name = source.name;
  const auto axes = array.shape.size() - 1;
  const bool integers = array.kind != 'f';
  if (is_one_of(name, {"image", "images", "img", "imgs"})) return "image";
  const bool bytes = array.kind == 'u' && array.width == 1;
  if (is_one_of(name, {"", "x", "data", "input", "inputs", "features"}))
    return axes == 3 || (axes == 2 && bytes) ? "image" : "x";
  if (is_one_of(name, {"mask", "masks", "segmentation"})) return "mask";
  if (!is_one_of(name, {"label", "labels", "y", "target", "targets", "class", "classes"})) return name;
  if (integers && (axes == 0 || (axes == 1 && array.shape[1] == 1))) return "label";
  if (integers && axes == 2) return "mask";
  return integers && axes == 1 ? "labels" : "y";
}

at::ScalarType usual_type(const std::string& name, const NpyArray& array) {
  const auto natural = array.natural_type();
  if (name == "label") return at::kLong;
  if (name == "mask") return natural == at::kByte ? at::kByte : at::kLong;
  const bool image = array.shape.size() == 4 || name == "image";
  if (image) return natural == at::kByte && array.kind == 'u' ? at::kByte : at::kFloat;
  return natural == at::kLong && !is_target(name) ? at::kLong : at::kFloat;
}

at::ScalarType chosen_type(const std::string& name, const NpyArray& array, const ArrayRules& rules) {
  const auto chosen = rules.types.find(name);
  auto type = usual_type(name, array);
  if (chosen != rules.types.end()) {
    constexpr std::pair<std::string_view, at::ScalarType> kTypes[] = {
        {"uint8", at::kByte}, {"int64", at::kLong}, {"float32", at::kFloat}};
    const auto* known = std::ranges::find(kTypes, chosen->second, &std::pair<std::string_view, at::ScalarType>::first);
    if (known == std::end(kTypes))
      throw request_error("format_settings.types: '{}' is no type for '{}'", chosen->second, name)
          .hint("uint8, int64 or float32");
    type = known->second;
  }
  if (type != at::kFloat && array.kind == 'f')
    throw request_error("'{}' holds floating-point numbers, but field '{}' needs integers", array.name, name);
  return type;
}

/// Images get their channels first, grey ones an axis for the one channel.
at::Tensor image_axes(at::Tensor values, const std::string& name, Layout layout) {
  if (name == "image" && values.dim() == 3) return values.unsqueeze(1);
  if (values.dim() != 4 || name == "mask") return values;
  const Shape sample(values.sizes().begin() + 1, values.sizes().end());
  return has_channels_last(sample, layout) ? values.permute({0, 3, 1, 2}).contiguous() : values;
}

ArrayField field_of(const std::string& name, const NpyArray& array, const ArrayRules& rules) {
  ArrayField field{.source = array.name};
  field.values = image_axes(array.tensor(chosen_type(name, array, rules)), name, rules.layout);
  if (name == "label" && field.values.dim() == 2 && field.values.size(1) == 1) field.values = field.values.squeeze(1);
  const auto sizes = field.values.sizes();
  field.info = {name, Shape(sizes.begin() + 1, sizes.end()), field.values.scalar_type()};
  return field;
}

std::string array_names(const std::vector<ArraySource>& sources) {
  std::vector<std::string> names;
  for (const auto& source : sources) names.push_back("'" + source.name + "'");
  return join_words(names);
}

const ArraySource&
source_for(const std::string& field, const std::string& name, const std::vector<ArraySource>& sources) {
  const auto found = std::ranges::find(sources, to_lower(name), &ArraySource::name);
  if (found != sources.end()) return *found;
  throw request_error("format_settings.fields: there is no array '{}' for field '{}'", name, field)
      .hint("the arrays of the split are " + array_names(sources) + " (without the word of the split)");
}

}  // namespace

std::vector<ArraySource> find_arrays(const std::string& place) {
  std::vector<ArraySource> sources;
  if (fs::is_regular_file(place)) {
    add_file(place, fs::path(place).parent_path(), sources);
    // A single file's own name says nothing about the splits of its arrays.
    for (auto& source : sources) source.split = named_source(source.member, "", "").split;
  } else {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(place)) {
      if (entry.is_directory())
        for (const auto& inner : fs::directory_iterator(entry.path())) files.push_back(inner.path());
      else
        files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const auto& file : files) add_file(file, place, sources);
  }
  if (sources.empty()) throw request_error("'{}' holds no arrays (.npy or .npz)", place);
  settle_validation(sources);
  return sources;
}

NpyArray read_array(const ArraySource& source) {
  auto bytes = read_file(source.file);
  if (!source.member.empty()) bytes = ZipFile(std::move(bytes), source.file).read(source.member);
  return parse_npy(std::move(bytes), source.str());
}

std::vector<ArrayField> fields_of(const std::vector<ArraySource>& sources, const ArrayRules& rules) {
  std::vector<ArrayField> fields;
  const auto add = [&](const ArraySource& source, const std::string& wanted) {
    const auto array = read_array(source);
    if (array.shape.empty()) throw request_error("'{}' holds one number, not an array of samples", source.str());
    const auto name = wanted.empty() ? usual_name(source, array) : wanted;
    for (const auto& other : fields)
      if (other.info.name == name)
        throw request_error("'{}' and '{}' would both be the field '{}'", other.source, source.str(), name)
            .hint("say which is what: format_settings: {fields: {image: ARRAY, label: ARRAY}}");
    fields.push_back(field_of(name, array, rules));
  };
  if (rules.fields.empty())
    for (const auto& source : sources) add(source, "");
  for (const auto& [field, name] : rules.fields) add(source_for(field, name, sources), field);
  return fields;
}

}  // namespace compress::data
