#include "exec/memory.h"

#include <mutex>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace compress::exec {

void keep_freed_memory() {
#if defined(__GLIBC__)
  static std::once_flag once;
  std::call_once(once, [] {
    mallopt(M_MMAP_MAX, 0);         // large blocks too come from the heap, which keeps them
    mallopt(M_TRIM_THRESHOLD, -1);  // never shrink it
  });
#endif
}

}  // namespace compress::exec
