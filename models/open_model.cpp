#include "io/checkpoint.h"
#include "io/onnx.h"
#include "zoo.h"

#include <filesystem>

namespace compress::models {

namespace {

namespace fs = std::filesystem;

bool is_run_directory(const fs::path& path) {
  return fs::is_directory(path);
}

bool looks_like_file(const std::string& spec) {
  return spec.ends_with(".onnx") || spec.find('/') != std::string::npos || fs::is_regular_file(spec);
}

}  // namespace

Graph open_model(const std::string& spec, Seed seed) {
  if (spec.empty())
    throw request_error("no model is given").hint("name a zoo network, an ONNX file or a run directory");
  if (is_run_directory(spec)) {
    if (fs::exists(fs::path(spec) / "final")) return io::load_checkpoint(fs::path(spec) / "final").graph;
    if (fs::exists(fs::path(spec) / "checkpoint")) return io::load_checkpoint(fs::path(spec) / "checkpoint").graph;
    throw request_error("the folder '{}' holds no checkpoint", spec).hint("a run directory has a folder 'checkpoint'");
  }
  if (looks_like_file(spec)) {
    if (!fs::exists(spec)) throw request_error("the model file '{}' does not exist", spec);
    return io::import_onnx(spec);
  }
  const auto name = spec.substr(0, spec.find('?'));
  if (!zoo().find(name)) {
    auto error = request_error("unknown model '{}'", spec);
    error.hint(did_you_mean(name, zoo().names()));
    error.hint("a model is a zoo name (compress list models), an ONNX file or a run directory");
    throw error;
  }
  return build_model(spec, seed);
}

}  // namespace compress::models
