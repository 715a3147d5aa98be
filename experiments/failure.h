#pragma once

#include <exception>
#include <optional>
#include <string>

namespace basis {

/// What an exception says to the user: the message of an Error, of the operating system (a disk
/// that is full, a folder that is locked) or of memory that ran out. Nothing for a defect of ours.
std::optional<std::string> message_for_user(const std::exception& error);

}  // namespace basis
