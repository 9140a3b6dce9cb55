#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace compress {

/// Whose fault it is; decides the exit status.
enum class Fault {
  check,       ///< a check of the recipe failed (accuracy, size, ...): exit 1
  request,     ///< the recipe, flags or a file are wrong; found before work starts: exit 2
  run,         ///< the run failed (NaN loss, disk full, out of memory): exit 3
  interrupted  ///< Ctrl-C: exit 130
};

/// Where in a text file; line and column count from 1, 0 = unknown.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;

  /// "file:line:column", leaving out what is unknown.
  std::string str() const;
  auto operator<=>(const Place&) const = default;
};

/// The one exception type: a message for a person. It travels up, gathers context, and is rendered once, in main.
///
///     throw request_error("unknown key '{}'", key).at(place).hint("did you mean 'final_sparsity'?");
class Error : public std::exception {
public:
  Error(Fault fault, std::string message);

  /// Does not replace a place that is known as well: who throws knows better than who passes on.
  Error& at(Place place) &;
  Error&& at(Place place) &&;
  Error& hint(std::string text) &;    ///< ignored when empty
  Error&& hint(std::string text) &&;  ///< ignored when empty
  Error& during(std::string text) &;  ///< "while <text>"
  Error&& during(std::string text) &&;
  /// Further independent problems found in the same go.
  Error& also(Error other) &;

  Fault fault() const { return fault_; }
  const std::string& message() const { return message_; }
  const Place& place() const { return place_; }
  const std::vector<std::string>& hints() const { return hints_; }
  /// What was being done, innermost first.
  const std::vector<std::string>& contexts() const { return contexts_; }
  const std::vector<Error>& others() const { return others_; }

  /// The whole text: "file:1:2: error: message\n  while ...\n  hint: ...", the others below it.
  std::string render() const;
  const char* what() const noexcept override { return rendered_.c_str(); }

private:
  void refresh();

  Fault fault_;
  std::string message_;
  Place place_;
  std::vector<std::string> hints_;
  std::vector<std::string> contexts_;
  std::vector<Error> others_;
  std::string rendered_;
};

template <class... Args>
Error request_error(fmt::format_string<Args...> format, Args&&... args) {
  return {Fault::request, fmt::format(format, std::forward<Args>(args)...)};
}

template <class... Args>
Error run_error(fmt::format_string<Args...> format, Args&&... args) {
  return {Fault::run, fmt::format(format, std::forward<Args>(args)...)};
}

/// The exception being handled, whatever its type (LibTorch's without its frames), as an Error. Call it in a catch
/// block.
Error current_error();

/// Runs `body`; whatever it throws leaves as an Error that adds "while <doing>".
template <class Body>
decltype(auto) within(std::string_view doing, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    auto error = current_error();
    error.during(std::string(doing));
    throw error;
  }
}

/// Collects problems so that a user sees all of them at once.
class Problems {
public:
  void add(Error error) { errors_.push_back(std::move(error)); }

  /// Runs `body` and keeps the error it throws, if any. True when it threw nothing.
  template <class Body>
  bool capture(Body&& body) {
    try {
      std::forward<Body>(body)();
      return true;
    } catch (const Error& error) {
      add(error);
      return false;
    }
  }

  bool empty() const { return errors_.empty(); }
  const std::vector<Error>& errors() const { return errors_; }
  /// Throws all of them as one Error; does nothing when there are none.
  void raise() const;

private:
  std::vector<Error> errors_;
};

}  // namespace compress
