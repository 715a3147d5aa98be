#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/wordpiece.h"

namespace basis {

/// WordPiece as its description reads, step by step over whole texts: the plain counterpart that
/// the fast one is compared with. Takes valid UTF-8 only.
class PlainWordPiece {
 public:
  PlainWordPiece(const std::vector<std::string>& vocabulary, WordPieceOptions options);
  std::vector<std::int32_t> tokenize(std::string_view text) const;

 private:
  std::vector<std::u32string> words(const std::u32string& text) const;
  void cut(const std::u32string& word, std::vector<std::int32_t>& ids) const;

  std::map<std::string, std::int32_t> ids_;
  WordPieceOptions options_;
};

}  // namespace basis
