#pragma once

namespace compress {

/// Ctrl-C sets a flag that long loops look at; a second Ctrl-C ends the process at once.
void install_interrupt_handler();
bool interrupted();
/// Throws Error(Fault::interrupted) when the flag is set. `what` is what was stopped.
void throw_if_interrupted(const char* what);

}  // namespace compress
