#include "data/wordpiece_special.h"

#include <algorithm>

namespace basis {

void SpecialTokens::add(const std::string& token, std::int32_t id) {
  if (token.empty()) return;
  tokens_.push_back({token, id});
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const Special& a, const Special& b) {
    return a.token.size() > b.token.size();
  });
  if (first_bytes_.find(token[0]) == std::string::npos) first_bytes_.push_back(token[0]);
}

SpecialTokens::Match SpecialTokens::find(std::string_view text, std::size_t from) const {
  while (true) {
    // With one byte, as BERT's "[", this is memchr.
    from = first_bytes_.size() == 1 ? text.find(first_bytes_[0], from)
                                    : text.find_first_of(first_bytes_, from);
    if (from == std::string_view::npos) return {text.size(), text.size(), -1};
    for (const Special& special : tokens_) {
      if (text.substr(from).starts_with(special.token)) {
        return {from, from + special.token.size(), special.id};
      }
    }
    ++from;
  }
}

}  // namespace basis
