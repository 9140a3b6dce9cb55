#include "quant/encodings/encodings.h"

#include <bit>

/// TensorRT's calibration cache: a header, then "name: scale" for each activation, the 32-bit float as eight
/// hexadecimal digits, highest byte first. Its integers are int8 without zero point, -127 to 127 steps of the scale;
/// weights it quantises itself.
namespace compress::quant {
namespace {

class TensorrtEncodings final : public EncodingsWriter {
public:
  std::string suffix() const override { return ".calibration.cache"; }

  std::string text(const EncodedModel& model) const override {
    std::string lines = "TRT-8601-EntropyCalibration2\n";
    for (const auto& encoding : model.encodings) {
      if (encoding.parameter) continue;
      require_integers(encoding, "TensorRT's calibration cache", 8);
      if (encoding.axes.axis >= 0)
        throw request_error("TensorRT's calibration cache has one scale a tensor, but '{}' has one for each channel",
                            encoding.name);
      lines += fmt::format("{}: {:08x}\n", encoding.name, std::bit_cast<uint32_t>(symmetric_scale(encoding)));
    }
    return lines;
  }

private:
  /// A grid of the same kind keeps its scale; others are covered.
  static float symmetric_scale(const Encoding& encoding) {
    if (encoding.spec.symmetric && encoding.spec.is_signed) return encoding.grid.scale.item<float>();
    const auto range = real_range(encoding);
    return static_cast<float>(std::max(-range.min.item<double>(), range.max.item<double>()) / 127);
  }
};

}  // namespace

extern const Entry<EncodingsWriter> tensorrt_encodings;
const Entry<EncodingsWriter> tensorrt_encodings{"tensorrt", "TensorRT's calibration cache: a scale for each activation",
                                                make_component<EncodingsWriter, TensorrtEncodings>};

}  // namespace compress::quant
