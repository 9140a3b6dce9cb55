#include "zoo.h"

namespace compress::models {

#define ENTRY(name) extern const Family name;
#include "models.def"
#undef ENTRY

const Registry<Model>& zoo() {
  static const auto entries = [] {
    std::vector<const Entry<Model>*> all;
    for (const Family* family : {
#define ENTRY(name) &name,
#include "models.def"
#undef ENTRY
         })
      for (const auto& entry : family->models) all.push_back(&entry);
    return all;
  }();
  static const Registry<Model> registry("model", entries);
  return registry;
}

Graph build_model(std::string_view spec, Seed seed) {
  const auto question = spec.find('?');
  const auto name = spec.substr(0, question);
  auto model = zoo().make(name);
  Settings settings;
  model->declare(settings);
  auto arguments = Yaml::map();
  if (question != std::string_view::npos)
    for (const auto& part : split(spec.substr(question + 1), '&')) {
      const auto equal = part.find('=');
      if (equal == std::string::npos)
        throw request_error("'{}' in the model '{}' is no key=value", part, spec)
            .hint("write name?key=value&key=value");
      arguments.set(part.substr(0, equal), Yaml::scalar(part.substr(equal + 1)));
    }
  settings.read(arguments, name);
  auto graph = model->build(seed);
  graph.name = std::string(name);
  return graph;
}

}  // namespace compress::models
