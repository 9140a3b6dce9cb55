// A libFuzzer target: any bytes are an ONNX model that is imported, or they are refused with a request error. Built and
// run by `make fuzz`; the corpus and the dictionary come from make_corpus.py.

#include "core/error.h"
#include "core/log.h"
#include "io/onnx.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  compress::log::set_level(compress::log::Level::quiet);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    compress::io::import_onnx_bytes({reinterpret_cast<const char*>(data), size}, "fuzz.onnx");
  } catch (const compress::Error& error) {
    if (error.fault() == compress::Fault::request && !error.message().empty()) return 0;
    std::fprintf(stderr, "not a request error: %s\n", error.what());
    std::abort();
  }
  return 0;
}
