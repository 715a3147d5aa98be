#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace basis {

/// Token ids of a text or a pair with `[CLS]` and `[SEP]`; type 0 for the first text, 1 for the
/// second.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;
};

}  // namespace basis
