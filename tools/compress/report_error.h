#pragma once

#include "core/error.h"

namespace compress::tools {

/// 1 a check failed, 2 the request is wrong, 3 the run failed, 130 interrupted.
int exit_status(Fault fault);

/// Writes the error to stderr: as text, or with --json as one line
/// {"error": {"message", "where": {"file", "line", "column"}, "while": [...], "hints": [...], "exit_code", "others":
/// [...]}}. Returns the exit status.
int report_error(const Error& error);

}  // namespace compress::tools
