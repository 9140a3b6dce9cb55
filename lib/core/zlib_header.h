#pragma once

// <zlib.h> declares a global function `compress`, which cannot stand beside our namespace. It gets another name here;
// nobody calls it.
#define compress zlib_compress_unused
#include <zlib.h>
#undef compress
