#include "core/file.h"
#include "core/text.h"
#include "core/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

namespace compress {

namespace {

constexpr size_t kMaxDepth = 100;
constexpr size_t kMaxExpanded = 100'000;

struct Extent {
  size_t values = 1;
  size_t depth = 1;
};

Extent extent(const Yaml& value) {
  Extent all;
  for (const auto& item : value.items) {
    const auto inner = extent(item);
    all.values += inner.values;
    all.depth = std::max(all.depth, inner.depth + 1);
  }
  return all;
}

/// Builds the tree from the parser's events. The events are used, and not the library's own tree, because that one
/// drops the first of two equal keys and shares aliased values.
class TreeBuilder final : public YAML::EventHandler {
public:
  explicit TreeBuilder(const std::string& file) : file_(file) { root_.place = {file, 1, 1}; }

  Yaml take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      throw request_error("more than one YAML document").at(place(mark)).hint("remove the line '---'");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Yaml value;
    value.place = place(mark);
    add(std::move(value), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) throw request_error("the alias stands inside the value that it repeats").at(place(mark));
    const auto size = extent(it->second);
    count_expanded(size, place(mark));
    if (open_.size() + size.depth > kMaxDepth) throw too_deep(place(mark));
    add(it->second, 0);
  }

  void
  OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& text) override {
    refuse_tag(mark, tag);
    auto value = Yaml::scalar(text, tag == "!");
    value.place = place(mark);
    add(std::move(value), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Yaml::sequence(), mark, tag, anchor);
  }
  void OnSequenceEnd() override { finish(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Yaml::map(), mark, tag, anchor);
  }
  void OnMapEnd() override { finish(); }

private:
  struct Open {
    Yaml value;
    YAML::anchor_t anchor = 0;
    bool has_key = false;           ///< a key was read, its value comes next
    std::optional<size_t> merge{};  ///< the index of the key <<
    std::unordered_set<std::string> keys{};
  };

  Place place(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  static Error too_deep(Place where) {
    return request_error("more than {} lists or maps inside each other", kMaxDepth).at(std::move(where));
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw request_error("the tag '{}' is not supported", tag)
        .at(place(mark))
        .hint("a recipe is plain data; quotes make a value text");
  }

  void count_expanded(Extent size, Place where) {
    expanded_ += size.values;
    if (expanded_ > kMaxExpanded)
      throw request_error("aliases expand to more than {} values", with_commas(kMaxExpanded)).at(std::move(where));
  }

  void start(Yaml value, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(mark, tag);
    value.place = place(mark);
    if (open_.size() >= kMaxDepth) throw too_deep(value.place);
    open_.push_back({.value = std::move(value), .anchor = anchor});
  }

  void finish() {
    auto done = std::move(open_.back());
    open_.pop_back();
    if (done.merge) merge(done.value, *done.merge);
    add(std::move(done.value), done.anchor);
  }

  void add(Yaml value, YAML::anchor_t anchor) {
    if (anchor != 0) {
      count_expanded(extent(value), value.place);
      anchors_[anchor] = value;
    }
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto& parent = open_.back(); parent.value.is_sequence()) {
      parent.value.items.push_back(std::move(value));
    } else if (parent.has_key) {
      // An absent value is found at the next token, lines below; its key is what a reader looks for.
      if (value.is_null()) value.place = parent.value.key_places.back();
      parent.value.items.push_back(std::move(value));
      parent.has_key = false;
    } else {
      add_key(parent, value);
    }
  }

  static void add_key(Open& map, const Yaml& key) {
    if (!key.is_scalar()) throw request_error("a key must be text, not {}", key.kind_name()).at(key.place);
    if (!map.keys.insert(key.text).second)
      throw request_error("the key '{}' stands twice in one map (first at {})", key.text,
                          map.value.key_place(key.text).str())
          .at(key.place);
    if (key.text == "<<" && !key.quoted) map.merge = map.value.keys.size();
    map.value.keys.push_back(key.text);
    map.value.key_places.push_back(key.place);
    map.has_key = true;
  }

  /// YAML 1.1's `<<: *defaults` or `<<: [*a, *b]`: adds what the map does not have itself; earlier ones win.
  static void merge(Yaml& map, size_t index) {
    auto source = std::move(map.items[index]);
    const auto where = map.key_places[index];
    map.erase("<<");
    auto sources = source.is_sequence() ? std::move(source.items) : std::vector<Yaml>{std::move(source)};
    std::unordered_set<std::string> present(map.keys.begin(), map.keys.end());
    for (auto& part : sources) {
      if (!part.is_map())
        throw request_error("'<<' must be a map or a list of maps, not {}", part.kind_name()).at(where);
      for (size_t i = 0; i < part.keys.size(); ++i) {
        if (!present.insert(part.keys[i]).second) continue;
        map.keys.push_back(std::move(part.keys[i]));
        map.key_places.push_back(std::move(part.key_places[i]));
        map.items.push_back(std::move(part.items[i]));
      }
    }
  }

  const std::string& file_;
  Yaml root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Yaml> anchors_;
  size_t expanded_ = 0;
  int documents_ = 0;
};

/// What is most likely wrong. The library takes a tab for a space and then complains about what follows it.
std::string syntax_hint(std::string_view message, std::string_view text, int line) {
  const auto lines = split(text, '\n');
  const std::string_view wrong = line >= 0 && line < std::ssize(lines) ? std::string_view(lines[line]) : "";
  if (wrong.substr(0, wrong.find_first_not_of(" \t")).find('\t') != std::string_view::npos)
    return "indent with spaces, not with tabs";
  if (message == YAML::ErrorMsg::MAP_VALUE) return "text that contains ': ' needs quotes";
  if (message == YAML::ErrorMsg::UNKNOWN_TOKEN) return "text with special characters needs quotes";
  return "";
}

}  // namespace

Yaml parse_yaml(std::string_view text, const std::string& file) {
  if (text.find('\0') != std::string_view::npos) throw request_error("this is not a text file").at({file});
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(file);
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.take();
  } catch (const YAML::Exception& error) {
    const bool known = !error.mark.is_null();
    const Place place{file, known ? error.mark.line + 1 : 0, known ? error.mark.column + 1 : 0};
    throw request_error("not valid YAML: {}", error.msg).at(place).hint(syntax_hint(error.msg, text, error.mark.line));
  }
}

Yaml read_yaml(const std::filesystem::path& path) {
  return parse_yaml(read_file(path), path.string());
}

}  // namespace compress
