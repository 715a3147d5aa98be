#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace basis {

/// A user's mistake: the message says what was asked, what is there and what to do.
/// The program prints it and exits with status 2.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

/// Operands of an operation do not fit each other; the message names the operation and both shapes.
class ShapeError : public Error {
 public:
  explicit ShapeError(const std::string& message) : Error(message) {}
};

/// A broken promise inside Basis, never a user's doing.
class InternalError : public std::logic_error {
 public:
  explicit InternalError(const std::string& message) : std::logic_error(message) {}
};

/// An assertion that stays in release builds. Throws InternalError with the place.
inline void ensure(bool condition, const char* promise,
                   std::source_location place = std::source_location::current()) {
  if (condition) return;
  throw InternalError(std::string("broken invariant: ") + promise + " (" + place.file_name() + ":" +
                      std::to_string(place.line()) + ")");
}

}  // namespace basis
