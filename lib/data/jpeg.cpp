#include "core/error.h"
#include "data/image.h"

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <cstring>
#include <jerror.h>
#include <jpeglib.h>

// libjpeg reports errors by calling back, and the call must not return: it jumps back. No frame between the jump and
// its target may hold a C++ object, so everything between is plain functions on plain data.
namespace compress::data {

namespace {

constexpr long kMostMemory = 1L << 30;  // a progressive image keeps its coefficients
constexpr int kMostScans = 500;         // each scan of a progressive image may cost as much as the whole
constexpr int64_t kJpegMargin = 8;      // pixels around the region whose chroma the borders mix in

struct JpegState {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf failed;
  char message[JMSG_LENGTH_MAX];
};

JpegState& state_of(j_common_ptr info) {
  return *static_cast<JpegState*>(info->client_data);
}

[[noreturn]] void fail_jpeg(JpegState& state, const char* message) {
  std::strncpy(state.message, message, sizeof state.message - 1);
  std::longjmp(state.failed, 1);
}

extern "C" {

static void jpeg_error(j_common_ptr info) {
  auto& state = state_of(info);
  info->err->format_message(info, state.message);
  std::longjmp(state.failed, 1);
}

/// Warnings pass (cameras write many), but a file that ends early would become grey.
static void jpeg_message(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) fail_jpeg(state_of(info), "the file ends early (is it cut?)");
}

static void jpeg_silence(j_common_ptr) {}

static void jpeg_progress(j_common_ptr info) {
  const auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
  if (decompress->input_scan_number > kMostScans) fail_jpeg(state_of(info), "it has more than 500 scans");
}
}

bool read_jpeg_header(JpegState& state, const unsigned char* bytes, unsigned long size) {
  state.info.err = jpeg_std_error(&state.errors);
  state.info.client_data = &state;
  state.errors.error_exit = jpeg_error;
  state.errors.emit_message = jpeg_message;
  state.errors.output_message = jpeg_silence;
  if (setjmp(state.failed) != 0) return false;
  jpeg_create_decompress(&state.info);
  state.progress.progress_monitor = jpeg_progress;
  state.info.progress = &state.progress;
  state.info.mem->max_memory_to_use = kMostMemory;
  jpeg_mem_src(&state.info, bytes, size);
  jpeg_read_header(&state.info, TRUE);
  return true;
}

/// From then on rows of [left, left + width), widened to what the format can cut, come out.
bool start_jpeg(JpegState& state, int64_t shrink, JDIMENSION* left, JDIMENSION* width) {
  if (setjmp(state.failed) != 0) return false;
  auto& info = state.info;
  const bool four = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = four ? JCS_CMYK : JCS_EXT_RGBX;
  info.scale_num = 1;
  info.scale_denom = static_cast<unsigned>(shrink);
  jpeg_start_decompress(&info);
  if (*width < info.output_width) jpeg_crop_scanline(&info, left, width);
  return true;
}

bool read_jpeg_rows(JpegState& state, JDIMENSION skip, JDIMENSION end, unsigned char* to, size_t stride) {
  if (setjmp(state.failed) != 0) return false;
  if (skip > 0) jpeg_skip_scanlines(&state.info, skip);
  while (state.info.output_scanline < end) {
    JSAMPROW row = to + (state.info.output_scanline - skip) * stride;
    if (jpeg_read_scanlines(&state.info, &row, 1) != 1) fail_jpeg(state, "the file ends early (is it cut?)");
  }
  return true;
}

/// Inverted CMYK, as Adobe writes it and everybody else since; the formula is Pillow's.
void cmyk_to_rgb(const PixelView& pixels) {
  for (int64_t y = 0; y < pixels.height; ++y) {
    uint8_t* pixel = pixels.data + y * pixels.stride;
    for (int64_t x = 0; x < pixels.width; ++x, pixel += 4)
      for (int c = 0; c < 3; ++c) {
        const int product = pixel[c] * pixel[3] + 128;
        pixel[c] = static_cast<uint8_t>(((product >> 8) + product) >> 8);
      }
  }
}

class JpegDecoder final : public ImageDecoder {
public:
  JpegDecoder(std::string_view bytes, const std::string& path) : path_(path) {
    if (!read_jpeg_header(state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size())) {
      auto error = damaged();
      jpeg_destroy_decompress(&state_.info);
      throw error;
    }
    width_ = state_.info.image_width;
    height_ = state_.info.image_height;
  }
  ~JpegDecoder() override { jpeg_destroy_decompress(&state_.info); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  bool shrinks() const override { return true; }

  PixelView read(const Region& region, int64_t shrink, PixelBuffer& buffer) override {
    const int64_t all = (width_ + shrink - 1) / shrink, rows = (height_ + shrink - 1) / shrink;
    const int64_t first = std::max<int64_t>(0, region.left / shrink - kJpegMargin);
    const int64_t end = std::min(all, (region.left + region.width + shrink - 1) / shrink + kJpegMargin);
    const int64_t top = region.top / shrink;
    const int64_t bottom = std::min(rows, (region.top + region.height + shrink - 1) / shrink);
    auto left = static_cast<JDIMENSION>(first), width = static_cast<JDIMENSION>(end - first);
    if (!start_jpeg(state_, shrink, &left, &width)) throw damaged();
    PixelView view{.stride = 4 * static_cast<int64_t>(state_.info.output_width), .left = left, .top = top};
    view.width = state_.info.output_width;
    view.height = bottom - top;
    view.data = buffer.reserve(static_cast<size_t>(view.stride * view.height));
    if (!read_jpeg_rows(state_, static_cast<JDIMENSION>(top), static_cast<JDIMENSION>(bottom), view.data,
                        static_cast<size_t>(view.stride)))
      throw damaged();
    if (state_.info.out_color_space == JCS_CMYK) cmyk_to_rgb(view);
    return view;
  }

private:
  Error damaged() const { return run_error("'{}' is a damaged JPEG image: {}", path_, state_.message); }

  JpegState state_{};
  std::string path_;
};

}  // namespace

std::unique_ptr<ImageDecoder> open_jpeg(std::string_view bytes, const std::string& path) {
  auto decoder = std::make_unique<JpegDecoder>(bytes, path);
  check_pixels(decoder->width(), decoder->height(), path);
  return decoder;
}

}  // namespace compress::data
