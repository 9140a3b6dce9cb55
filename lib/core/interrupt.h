#pragma once

namespace compress {

/// Ctrl-C (SIGINT) and SIGTERM, with which CI systems stop a job, set a flag that long loops look at; a second one ends
/// the process at once. Either way the exit status is 130.
void install_interrupt_handler();
bool interrupted();
/// Throws Error(Fault::interrupted) when the flag is set. `what` is what was stopped.
void throw_if_interrupted(const char* what);

}  // namespace compress
