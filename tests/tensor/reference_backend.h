#pragma once

#include <memory>

#include "tensor/backend.h"
#include "tests/tensor/elements.h"

namespace basis {

/// Every kernel in the plainest loops: one element after the other, f64 inside, one thread, any
/// dtype on any operand. What the parity tests hold the fast backends against.
std::unique_ptr<Backend> make_reference_backend();

}  // namespace basis
