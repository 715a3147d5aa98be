#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace basis {

/// The bytes of a word of up to 16, zero behind its end: short words are compared and hashed in
/// two registers.
struct WordKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const WordKey&) const = default;
};

inline WordKey key_of(std::string_view word) {
  WordKey key;
  char bytes[16] = {};
  std::memcpy(bytes, word.data(), word.size());
  std::memcpy(&key.low, bytes, 8);
  std::memcpy(&key.high, bytes + 8, 8);
  return key;
}

/// Its word is the first `length` of them.
inline std::array<char, 16> bytes_of(const WordKey& key) {
  std::array<char, 16> bytes;
  std::memcpy(bytes.data(), &key.low, 8);
  std::memcpy(bytes.data() + 8, &key.high, 8);
  return bytes;
}

/// Cuts text into BERT's words: cleaned, lower-cased, without accents, cut at spaces, and at
/// punctuation and Chinese characters, which are words of their own. The same as
/// BertNormalizer and BertPreTokenizer of Hugging Face's `tokenizers`, in one pass over the bytes
/// and without a copy of the text.
class WordSplitter {
 public:
  WordSplitter(bool lowercase, bool strip_accents, bool split_chinese);

  /// Calls, in the order of the words:
  ///   sink.short_word(WordKey, length)         ASCII letters and digits, at most 15
  ///   sink.punctuation(char)                   one ASCII symbol
  ///   sink.word(string_view, characters)       any other word; the view lives until the next call
  /// Throws Error with the place where the text is not UTF-8; `offset` is where the text begins in
  /// what the caller reads.
  template <class Sink>
  void split(std::string_view text, std::size_t offset, Sink& sink) const;

 private:
  enum class Kind : std::uint8_t { Letter, Isolated, Space, Removed, General };

  /// What one character becomes, where that does not depend on its neighbours.
  struct Form {
    Kind kind = Kind::General;
    std::uint8_t size = 0;        // bytes
    std::uint8_t characters = 0;  // in these bytes
    char bytes[5] = {};
  };
  static constexpr char32_t form_count = 0x3000;  // Latin to general punctuation and symbols

  struct Mark {
    std::uint8_t combining_class;
    char32_t value;
  };

  template <class Sink>
  class Pass;

  Form form_of(char32_t value) const;
  [[noreturn]] static void refuse(std::size_t offset);

  bool lowercase_;
  bool strip_accents_;
  bool split_chinese_;
  std::vector<Form> forms_;           // by character
  std::array<Kind, 256> byte_kinds_;  // by first byte; General from 0x80 on
};

/// Letters and digits at the start of 16 bytes.
struct WordStart {
  WordKey key;  // lower-cased where asked
  int length;   // 0 to 16
};

#if defined(__SSE2__)
inline WordStart read_word(const char* bytes, bool lowercase) {
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  const __m128i case_bit = _mm_set1_epi8(0x20);
  const __m128i from_a =
      _mm_sub_epi8(_mm_or_si128(block, case_bit), _mm_set1_epi8('a'));  // 0 to 25: a letter
  const __m128i from_0 = _mm_sub_epi8(block, _mm_set1_epi8('0'));       // 0 to 9: a digit
  const __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(from_a, _mm_set1_epi8(25)), from_a);
  const __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(from_0, _mm_set1_epi8(9)), from_0);
  const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(is_letter, is_digit)));
  const int length = std::countr_one(mask);
  const __m128i add_bit = _mm_set1_epi8(lowercase ? 0x20 : 0);
  const __m128i word = _mm_or_si128(block, _mm_and_si128(is_letter, add_bit));
  static constexpr std::array<std::int8_t, 32> ones_then_zeros = [] {
    std::array<std::int8_t, 32> mask_bytes{};
    for (int i = 0; i < 16; ++i) mask_bytes[static_cast<std::size_t>(i)] = -1;
    return mask_bytes;
  }();
  const __m128i keep =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(ones_then_zeros.data() + 16 - length));
  const __m128i kept = _mm_and_si128(word, keep);
  WordStart start;
  start.key.low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(kept));
  start.key.high = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(kept, kept)));
  start.length = length;
  return start;
}
#else
inline WordStart read_word(const char* bytes, bool lowercase) {
  char word[16];
  int length = 0;
  for (; length < 16; ++length) {
    const char c = bytes[length];
    const char lowered = static_cast<char>(c | 0x20);
    const bool is_letter = lowered >= 'a' && lowered <= 'z';
    if (!is_letter && !(c >= '0' && c <= '9')) break;
    word[length] = is_letter && lowercase ? lowered : c;
  }
  return {key_of({word, static_cast<std::size_t>(length)}), length};
}
#endif

}  // namespace basis
