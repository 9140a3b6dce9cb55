#pragma once

namespace compress::exec {

/// Tells the C library, once, to keep freed blocks instead of handing them back to the system: otherwise each step of
/// training asks the system for the same hundreds of MB again, and the page faults take a fifth of its time.
void keep_freed_memory();

}  // namespace compress::exec
