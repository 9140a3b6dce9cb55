#include "core/error.h"
#include "data/image.h"

#include <csetjmp>
#include <cstring>
#include <png.h>

// libpng reports errors by calling back, and the call must not return: it jumps back. No frame between the jump and its
// target may hold a C++ object, so everything between is plain functions on plain data.
namespace compress::data {

namespace {

constexpr int64_t kMostInflation = 1032;  // deflate cannot make more bytes of one
constexpr int64_t kPngSlack = 64 * 1024;

struct PngState {
  png_structp png;
  png_infop info;
  const unsigned char* next;
  size_t left;
  char message[128];
};

extern "C" {

static void png_failed(png_structp png, png_const_charp message) {
  auto* state = static_cast<PngState*>(png_get_error_ptr(png));
  std::strncpy(state->message, message, sizeof state->message - 1);
  png_longjmp(png, 1);
}

static void png_silence(png_structp, png_const_charp) {}

static void png_bytes(png_structp png, png_bytep to, size_t count) {
  auto* state = static_cast<PngState*>(png_get_io_ptr(png));
  if (count > state->left) png_error(png, "the file ends early (is it cut?)");
  std::memcpy(to, state->next, count);
  state->next += count;
  state->left -= count;
}
}

bool read_png_header(PngState& state) {
  state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, png_failed, png_silence);
  if (!state.png) return false;
  if (setjmp(png_jmpbuf(state.png)) != 0) return false;
  state.info = png_create_info_struct(state.png);
  if (!state.info) return false;
  png_set_read_fn(state.png, &state, png_bytes);
  png_read_info(state.png, state.info);
  return true;
}

/// Four bytes a pixel for colours; the bare numbers for masks.
bool start_png(PngState& state, bool numbers) {
  if (setjmp(png_jmpbuf(state.png)) != 0) return false;
  if (numbers) {
    png_set_packing(state.png);
  } else {
    png_set_scale_16(state.png);
    png_set_expand(state.png);
    png_set_gray_to_rgb(state.png);
    png_set_strip_alpha(state.png);
    png_set_filler(state.png, 0xff, PNG_FILLER_AFTER);
  }
  png_set_interlace_handling(state.png);
  png_read_update_info(state.png, state.info);
  return true;
}

/// Rows up to `end`; an interlaced image has several passes over all rows.
bool read_png_rows(PngState& state, int64_t height, int64_t end, unsigned char* to, size_t stride) {
  if (setjmp(png_jmpbuf(state.png)) != 0) return false;
  const int passes = png_get_interlace_type(state.png, state.info) == PNG_INTERLACE_NONE ? 1 : 7;
  for (int pass = 0; pass < passes; ++pass)
    for (int64_t row = 0; row < (passes == 1 ? end : height); ++row)
      png_read_row(state.png, to + static_cast<size_t>(row) * stride, nullptr);
  return true;
}

class PngFile {
public:
  PngFile(std::string_view bytes, const std::string& path) : path_(path) {
    state_.next = reinterpret_cast<const unsigned char*>(bytes.data());
    state_.left = bytes.size();
    if (!read_png_header(state_)) {
      auto error = damaged();
      destroy();
      throw error;
    }
    size_ = static_cast<int64_t>(bytes.size());
  }
  ~PngFile() { destroy(); }
  PngFile(const PngFile&) = delete;
  PngFile& operator=(const PngFile&) = delete;

  int64_t width() const { return png_get_image_width(state_.png, state_.info); }
  int64_t height() const { return png_get_image_height(state_.png, state_.info); }
  int depth() const { return png_get_bit_depth(state_.png, state_.info); }
  int color() const { return png_get_color_type(state_.png, state_.info); }
  Error damaged() const { return run_error("'{}' is a damaged PNG image: {}", path_, state_.message); }

  /// Throws before memory is taken for an image that the file is too short for.
  void check() const {
    check_pixels(width(), height(), path_);
    const auto bytes = static_cast<int64_t>(png_get_rowbytes(state_.png, state_.info)) * height();
    if (bytes > kMostInflation * size_ + kPngSlack)
      throw run_error("'{}' is a damaged PNG image: it is too short for {}x{} pixels", path_, width(), height());
  }

  /// Rows [0, end) of the image, or all of it when it is interlaced.
  void read(bool numbers, int64_t end, uint8_t* to, int64_t bytes_per_pixel) {
    if (!start_png(state_, numbers) ||
        !read_png_rows(state_, height(), end, to, static_cast<size_t>(bytes_per_pixel * width())))
      throw damaged();
  }
  bool interlaced() const { return png_get_interlace_type(state_.png, state_.info) != PNG_INTERLACE_NONE; }

private:
  void destroy() { png_destroy_read_struct(&state_.png, &state_.info, nullptr); }

  PngState state_{};
  std::string path_;
  int64_t size_ = 0;
};

class PngDecoder final : public ImageDecoder {
public:
  PngDecoder(std::string_view bytes, const std::string& path) : file_(bytes, path) {
    file_.check();
    width_ = file_.width();
    height_ = file_.height();
  }

  bool shrinks() const override { return false; }

  PixelView read(const Region& region, int64_t, PixelBuffer& buffer) override {
    const int64_t end = region.top + region.height, rows = file_.interlaced() ? height_ : end;
    PixelView view{.stride = 4 * width_, .width = width_, .height = rows};
    view.data = buffer.reserve(static_cast<size_t>(view.stride * rows));
    file_.read(false, end, view.data, 4);
    return view;
  }

private:
  PngFile file_;
};

}  // namespace

std::unique_ptr<ImageDecoder> open_png(std::string_view bytes, const std::string& path) {
  return std::make_unique<PngDecoder>(bytes, path);
}

MaskImage read_png_mask(std::string_view bytes, const std::string& path) {
  PngFile file(bytes, path);
  file.check();
  const bool numbers = file.color() == PNG_COLOR_TYPE_GRAY || file.color() == PNG_COLOR_TYPE_PALETTE;
  if (!numbers || file.depth() > 8)
    throw run_error("'{}' is no mask: it has {}", path, numbers ? "16 bits a pixel" : "colours")
        .hint("a mask is a grey or palette PNG of at most 8 bits whose pixels are class numbers");
  MaskImage mask{.width = file.width(), .height = file.height()};
  mask.values.resize(static_cast<size_t>(mask.width * mask.height));
  file.read(true, mask.height, mask.values.data(), 1);
  return mask;
}

}  // namespace compress::data
