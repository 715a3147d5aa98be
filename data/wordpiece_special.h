#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace basis {

/// Special tokens that are recognised where they are written in a text, before anything else is
/// done to it; of two that begin at the same place the longer one.
class SpecialTokens {
 public:
  /// An empty token is left out.
  void add(const std::string& token, std::int32_t id);

  struct Match {
    std::size_t begin;
    std::size_t end;
    std::int32_t id;  // -1 where there is none; begin and end are then the text's end
  };
  Match find(std::string_view text, std::size_t from) const;

 private:
  struct Special {
    std::string token;
    std::int32_t id;
  };
  std::vector<Special> tokens_;  // longest first
  std::string first_bytes_;      // the bytes that one of them begins with
};

}  // namespace basis
