#include "core/yaml.h"
#include "core/yaml_scalar.h"

#include <algorithm>

namespace compress {

namespace {

constexpr size_t kFlowWidth = 80;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Text that every YAML reader takes as it stands, also inside [ ]. Cautious: a quote too many does no harm.
bool is_plain(std::string_view text) {
  constexpr std::string_view kStart = "./+^($", kInside = "./+^()$|\\=<>~@%*-:; ";
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  if (text.starts_with("---") || text.starts_with("...")) return false;
  if (text.find(": ") != std::string_view::npos) return false;
  const bool negative = text.size() > 1 && text[0] == '-' && (is_word_char(text[1]) || text[1] == '.');
  if (!negative && !is_word_char(text[0]) && kStart.find(text[0]) == std::string_view::npos) return false;
  return std::ranges::all_of(text,
                             [&](char c) { return is_word_char(c) || kInside.find(c) != std::string_view::npos; });
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += std::string("\\") + c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out + '"';
}

/// A string keeps its quotes only where the bare text would be read as something else.
std::string scalar_text(const Yaml& value) {
  const bool ambiguous = is_yaml_null(value.text) || (value.quoted && !is_yaml_string(value.text));
  return is_plain(value.text) && !ambiguous ? value.text : quote(value.text);
}

std::string key_text(const std::string& key) {
  return is_plain(key) && !is_yaml_null(key) ? key : quote(key);
}

std::string flow_text(const Yaml& value) {
  switch (value.kind) {
  case Yaml::Kind::null: return "null";
  case Yaml::Kind::scalar: return scalar_text(value);
  case Yaml::Kind::map:
  case Yaml::Kind::sequence: break;
  }
  std::string text;
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (i > 0) text += ", ";
    if (value.is_map()) text += key_text(value.keys[i]) + ": ";
    text += flow_text(value.items[i]);
  }
  return value.is_map() ? "{" + text + "}" : "[" + text + "]";
}

bool is_leaf(const Yaml& value) {
  return value.is_null() || value.is_scalar() || value.items.empty();
}

/// Lists of scalars (and of short lists of scalars) stand on one line, maps never do.
bool fits_line(const Yaml& value, size_t indent) {
  if (is_leaf(value)) return true;
  if (value.is_map()) return false;
  const auto flat = [](const Yaml& item) {
    return is_leaf(item) || (item.is_sequence() && std::ranges::all_of(item.items, is_leaf));
  };
  return std::ranges::all_of(value.items, flat) && indent + flow_text(value).size() <= kFlowWidth;
}

void write_block(std::string& out, const Yaml& value, size_t indent) {
  for (size_t i = 0; i < value.items.size(); ++i) {
    const auto& item = value.items[i];
    out.append(indent, ' ');
    out += value.is_map() ? key_text(value.keys[i]) + ':' : std::string("-");
    if (fits_line(item, indent)) {
      out += ' ' + flow_text(item) + '\n';
      continue;
    }
    const auto line_end = out.size();
    out += '\n';
    write_block(out, item, indent + 2);
    if (value.is_sequence() && item.is_map()) {
      // "- key: value" on one line: the line break and the first key's indentation become one space.
      out.erase(line_end, indent + 2);
      out[line_end] = ' ';
    }
  }
}

}  // namespace

std::string to_text(const Yaml& value) {
  std::string out;
  if (fits_line(value, 0))
    out = flow_text(value) + '\n';
  else
    write_block(out, value, 0);
  return out;
}

}  // namespace compress
