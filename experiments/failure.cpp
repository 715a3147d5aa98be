#include "experiments/failure.h"

#include <new>
#include <system_error>

#include "tensor/error.h"

namespace basis {

std::optional<std::string> message_for_user(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) return error.what();
  if (dynamic_cast<const std::system_error*>(&error) != nullptr) return error.what();
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "there is not enough memory";
  return std::nullopt;
}

}  // namespace basis
