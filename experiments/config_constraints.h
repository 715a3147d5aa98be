#pragma once

// What values of config keys must be, for config_fields.cpp alone; not installed.

#include "experiments/config_fields.h"

namespace basis::constraints {

Constraint anything();
Constraint at_least(std::int64_t least);
Constraint between(std::int64_t least, std::int64_t most);
Constraint number_from(double least, double below);
Constraint not_negative();
Constraint positive();
Constraint share();
Constraint share_or_inherited();
Constraint share_or_own();
Constraint one_of(std::vector<std::string> choices);
Constraint positive_share();
Constraint checkpoint_name();
Constraint not_empty();
Constraint file_name();
Constraint image_transform();

}  // namespace basis::constraints
