#include "quant/encodings/encodings.h"

#include <nlohmann/json.hpp>

/// AIMET's encodings, version 0.6.1: an object for each scale, with integers counted from 0. real = scale * (q +
/// offset), so that offset is the grid's lowest integer less the zero point.
namespace compress::quant {
namespace {

using Json = nlohmann::ordered_json;

bool is_half(const Encoding& encoding) {
  return encoding.spec.format == ops::GridFormat::float16 || encoding.spec.format == ops::GridFormat::bfloat16;
}

Json integer_encoding(const Encoding& encoding, int64_t k) {
  const auto at = [&](const at::Tensor& values) { return values.flatten().select(0, k).item<double>(); };
  const auto range = real_range(encoding);
  const auto offset = encoding.spec.low() - static_cast<int64_t>(at(encoding.grid.zero_point));
  return {{"bitwidth", encoding.spec.bits},
          {"dtype", "int"},
          {"is_symmetric", encoding.spec.symmetric ? "True" : "False"},
          {"max", at(range.max)},
          {"min", at(range.min)},
          {"offset", offset},
          {"scale", at(encoding.grid.scale)}};
}

class AimetEncodings final : public EncodingsWriter {
public:
  std::string suffix() const override { return ".encodings"; }

  std::string text(const EncodedModel& model) const override {
    Json activations = Json::object(), parameters = Json::object();
    for (const auto& encoding : model.encodings) {
      auto& list = (encoding.parameter ? parameters : activations)[encoding.name] = Json::array();
      if (is_half(encoding)) {
        list.push_back({{"bitwidth", 16}, {"dtype", "float"}});
        continue;
      }
      require_integers(encoding, "the form 'aimet'");
      for (int64_t k = 0; k < encoding.grid.scale.numel(); ++k) list.push_back(integer_encoding(encoding, k));
    }
    const Json object{{"version", "0.6.1"}, {"activation_encodings", activations}, {"param_encodings", parameters}};
    return object.dump(2) + "\n";
  }
};

}  // namespace

extern const Entry<EncodingsWriter> aimet_encodings;
const Entry<EncodingsWriter> aimet_encodings{"aimet",
                                             "AIMET's encodings 0.6.1 (JSON): scales and ranges of all tensors",
                                             make_component<EncodingsWriter, AimetEncodings>};

}  // namespace compress::quant
