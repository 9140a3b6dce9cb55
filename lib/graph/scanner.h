#pragma once

#include "graph/graph.h"

#include <string>
#include <string_view>

namespace compress {

/// Reads the words of the text form; errors carry file, line and column of what was read last.
class Scanner {
public:
  Scanner(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  /// Skips blank lines and comments; false at the end of the text.
  bool next_line();
  /// The rest of the line must be blank.
  void end_line();
  bool at_line_end();
  /// True, and skipped, when the next sign is `sign`.
  bool accept(char sign);
  void expect(char sign);
  /// Next character that is not a blank, 0 at the end of the line; stays.
  char peek();

  /// A name, bare or in quotes; `what` is for the message.
  std::string name(std::string_view what);
  /// Text in double quotes with \" \\ \n.
  std::string quoted();
  /// "float", "int64", ...
  at::ScalarType type();
  /// "[20,1,5,5]"; N is the batch.
  Shape shape();
  Attribute attribute();
  /// "name=value name=value ..." up to the end of the line.
  Attributes attributes();

  /// An error at what was read last.
  Error error(std::string message) const;

private:
  void skip_blanks();
  void mark();
  std::string bare(std::string_view signs);
  std::string number(std::string_view what);
  Attribute list();

  std::string_view text_;
  std::string file_;
  size_t at_ = 0, marked_ = 0;
};

/// The names of element types in the text form.
std::string_view type_name(at::ScalarType type);

/// True when a name can stand in the text form without quotes.
bool is_bare_name(std::string_view name);

}  // namespace compress
