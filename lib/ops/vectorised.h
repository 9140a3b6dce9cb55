#pragma once

// One copy of an inner loop per kind of vector unit; the program picks at start.
#if defined(__x86_64__) && !defined(__clang__) && __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__) &&                  \
    !defined(__SANITIZE_THREAD__)
#define COMPRESS_VECTORISED                                                                                            \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3")))
#else
#define COMPRESS_VECTORISED
#endif
