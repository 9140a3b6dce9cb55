#pragma once

#include "core/yaml.h"

#include <CLI/CLI.hpp>

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace compress::tools {

/// The value of a flag in a recipe: the flag is its place, so that what is wrong with it is said of the flag.
Yaml placed(Yaml value, const std::string& flag);

/// The flags that describe a post-training quantiser: Distiller's --qe-* and --lapq-* and those of our own. Each stands
/// for one argument of the quantiser's class.
class QuantizerFlags {
public:
  void declare(CLI::App& app);
  /// The entry of a recipe's `quantizers:` section. Throws a request error when flags contradict one another.
  Yaml quantizer() const;

private:
  struct Flag;
  static std::span<const Flag> flags();
  void add(CLI::App& app, const Flag& flag);
  bool given(const std::string& flag) const { return values_.contains(flag); }
  std::vector<std::string> given_flags() const;
  void check() const;
  /// The value of a flag in lower case; "" when it is not given.
  std::string word(const std::string& flag) const;
  bool stays_floating(const std::string& bits_flag) const;
  void check_effects() const;
  void check_lapq() const;
  void at_most_one(std::initializer_list<const char*> flags, const std::string& why) const;
  Yaml from_file() const;
  Yaml argument(const Flag& flag) const;
  void set_grids(Yaml& section) const;
  void set_observer(Yaml& section) const;

  std::map<std::string, std::vector<std::string>> values_;  ///< by the long spelling, of flags that are given
};

}  // namespace compress::tools
