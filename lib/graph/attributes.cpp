#include "graph/graph.h"

namespace compress {

namespace {

template <class T>
T typed(std::string_view name, const Attribute& attribute, std::string_view wanted) {
  if (const T* value = std::get_if<T>(&attribute)) return *value;
  throw run_error("attribute '{}' is not {}", name, wanted);
}

}  // namespace

const Attribute* Attributes::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

void Attributes::set(std::string name, Attribute value) {
  values_.insert_or_assign(std::move(name), std::move(value));
}

void Attributes::erase(std::string_view name) {
  if (const auto found = values_.find(name); found != values_.end()) values_.erase(found);
}

int64_t Attributes::integer(std::string_view name, int64_t otherwise) const {
  const Attribute* attribute = find(name);
  return attribute ? typed<int64_t>(name, *attribute, "an integer") : otherwise;
}

double Attributes::number(std::string_view name, double otherwise) const {
  const Attribute* attribute = find(name);
  if (!attribute) return otherwise;
  if (const auto* integer = std::get_if<int64_t>(attribute)) return static_cast<double>(*integer);
  return typed<double>(name, *attribute, "a number");
}

std::string Attributes::text(std::string_view name, std::string_view otherwise) const {
  const Attribute* attribute = find(name);
  return attribute ? typed<std::string>(name, *attribute, "text") : std::string(otherwise);
}

std::vector<int64_t> Attributes::integers(std::string_view name, std::vector<int64_t> otherwise) const {
  const Attribute* attribute = find(name);
  return attribute ? typed<std::vector<int64_t>>(name, *attribute, "a list of integers") : otherwise;
}

std::vector<double> Attributes::numbers(std::string_view name, std::vector<double> otherwise) const {
  const Attribute* attribute = find(name);
  if (!attribute) return otherwise;
  if (const auto* integers = std::get_if<std::vector<int64_t>>(attribute)) return {integers->begin(), integers->end()};
  return typed<std::vector<double>>(name, *attribute, "a list of numbers");
}

}  // namespace compress
