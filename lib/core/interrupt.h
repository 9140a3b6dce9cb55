#pragma once

namespace compress {

/// Ctrl-C (SIGINT) and SIGTERM, with which CI systems stop a job, set a flag that long loops look at; a second one ends
/// the process at once. Either way the exit status is 130.
void install_interrupt_handler();
bool interrupted();
/// Clears the flag: for a search that ends early and leaves what it has found. A second signal still ends the process.
void forget_interrupt();
/// Throws Error(Fault::interrupted) when the flag is set. `what` is what was stopped.
void throw_if_interrupted(const char* what);

}  // namespace compress
