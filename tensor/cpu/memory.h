#pragma once

#include "tensor/allocator.h"

namespace basis::cpu {

/// Memory from the system. From 2 MiB on: address space aligned to 2 MiB whose pages cost nothing
/// until touched, huge pages advised. Throws Error with the amount when the system refuses.
Block reserve(std::size_t bytes);

/// How often `reserve` was called since the process began.
std::size_t reservations();

}  // namespace basis::cpu
