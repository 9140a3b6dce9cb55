#pragma once

#include "train/hook.h"

#include <string>

namespace compress::prune {

/// Puts what a part remembers into the memory of the whole, under a name.
void keep_part(train::Memory& whole, const std::string& name, const train::Memory& part);
/// The way back; empty when the whole holds no such part.
train::Memory part_of(const train::Memory& whole, const std::string& name);

}  // namespace compress::prune
