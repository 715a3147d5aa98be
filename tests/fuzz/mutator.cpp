#include "tests/fuzz/mutator.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace basis::fuzz {
namespace {

using namespace std::string_view_literals;

/// What parsers trip over, put in as it stands.
constexpr std::array dictionary{"{"sv,
                                "}"sv,
                                "["sv,
                                "]"sv,
                                ","sv,
                                ":"sv,
                                "\""sv,
                                "\\"sv,
                                "null"sv,
                                "true"sv,
                                "NaN"sv,
                                "{}"sv,
                                "[]"sv,
                                "\"\":"sv,
                                "\\u0000"sv,
                                "\\ud800"sv,
                                "\0"sv,
                                "\xff"sv,
                                "\xc3"sv,
                                "\xed\xa0\x80"sv,
                                "\xef\xbb\xbf"sv,
                                "\r\n"sv,
                                "[[[[[[[["sv,
                                "{\"a\":"sv,
                                "\"F16\""sv,
                                "\"F4\""sv,
                                "\"shape\""sv,
                                "\"__metadata__\""sv,
                                "\"0\""sv,
                                "//"sv,
                                "\n"sv,
                                "\t"sv,
                                ","sv,
                                " = "sv,
                                "."sv,
                                "#"sv,
                                "\"\"\""sv,
                                "'"sv,
                                "a.a.a.a.a.a.a.a"sv,
                                "[a]\n"sv,
                                "[[a]]\n"sv,
                                "(a+)+"sv,
                                "{1000}"sv,
                                "\xc2\x85"sv,
                                "\xe2\x80\xa8"sv};

constexpr std::array numbers{"0"sv,
                             "1"sv,
                             "-1"sv,
                             "2"sv,
                             "3"sv,
                             "7"sv,
                             "8"sv,
                             "16"sv,
                             "24"sv,
                             "255"sv,
                             "65536"sv,
                             "2147483647"sv,
                             "2147483648"sv,
                             "4294967296"sv,
                             "4611686018427387904"sv,
                             "9223372036854775807"sv,
                             "9223372036854775808"sv,
                             "18446744073709551615"sv,
                             "18446744073709551616"sv,
                             "-9223372036854775808"sv,
                             "-9223372036854775809"sv,
                             "1.5"sv,
                             "-0.0"sv,
                             "1e308"sv,
                             "1e400"sv,
                             "1e-400"sv,
                             "0.999999999999999999"sv,
                             "00"sv,
                             "1e"sv};

constexpr std::size_t longest = 1 << 14;
constexpr std::size_t length_bytes = sizeof(std::uint64_t);

}  // namespace

std::string Mutator::next() {
  std::string text = seeds_[below(seeds_.size())];
  std::uint64_t header = 0;
  if (text.size() >= length_bytes) std::memcpy(&header, text.data(), length_bytes);
  const bool has_length = text.size() >= length_bytes && header <= text.size() - length_bytes;
  const std::size_t tail = has_length ? text.size() - length_bytes - header : 0;
  for (std::size_t left = 1 + below(6); left > 0; --left) change(text);
  if (has_length && below(4) != 0) mend_length(text, tail);
  return text;
}

void Mutator::change(std::string& text) {
  const std::size_t place = below(text.size() + 1);
  const std::size_t size = std::min(below(text.size() - place + 1), std::size_t{1} << below(8));
  switch (below(10)) {
    case 0:
      if (place < text.size()) text[place] = static_cast<char>(text[place] ^ (1 << below(8)));
      break;
    case 1:
      if (place < text.size()) text[place] = static_cast<char>(random_());
      break;
    case 2:
      text.erase(place, size);
      break;
    case 3:
      text.insert(below(text.size() + 1), text.substr(place, size));
      break;
    case 4:
      text.resize(place);
      break;
    case 5:
      text.insert(place, dictionary[below(dictionary.size())]);
      break;
    case 6:
      splice(text);
      break;
    default:
      replace_number(text);
      break;
  }
  if (text.size() > longest) text.resize(longest);
}

void Mutator::replace_number(std::string& text) {
  const auto is_digit = [](char letter) { return letter >= '0' && letter <= '9'; };
  const auto start = text.begin() + static_cast<std::ptrdiff_t>(below(text.size() + 1));
  const auto first = std::find_if(start, text.end(), is_digit);
  const auto last = std::find_if_not(first, text.end(), is_digit);
  if (first != last) text.replace(first, last, numbers[below(numbers.size())]);
}

void Mutator::splice(std::string& text) {
  const std::string& other = seeds_[below(seeds_.size())];
  const std::size_t from = below(other.size() + 1);
  text.replace(below(text.size() + 1), below(32), other, from, below(64));
}

void Mutator::mend_length(std::string& text, std::size_t tail) {
  if (text.size() < length_bytes + tail) return;
  const std::uint64_t header = text.size() - length_bytes - tail;
  std::memcpy(text.data(), &header, length_bytes);
}

}  // namespace basis::fuzz
