#pragma once

#include <algorithm>

#include "data/unicode.h"
#include "data/wordpiece_splitter.h"

namespace basis {

/// One text on its way through a WordSplitter.
template <class Sink>
class WordSplitter::Pass {
 public:
  Pass(const WordSplitter& splitter, std::size_t offset, Sink& sink)
      : splitter_(splitter), offset_(offset), sink_(sink) {}

  void run(std::string_view text) {
    const char* p = text.data();
    base_ = p;
    const char* const end = p + text.size();
    p = run_blocks(p, end);
    if (p == end) return;
    // The last bytes move to where 16 can be read behind each of them.
    char tail[32] = {};
    const auto left = static_cast<std::size_t>(end - p);
    std::memcpy(tail, p, left);
    offset_ += static_cast<std::size_t>(p - base_);
    base_ = tail;
    run_tail(tail, tail + left);
  }

 private:
  static constexpr std::ptrdiff_t block = 16;

  // While 16 bytes can be read; returns where it stopped, never inside a word.
  const char* run_blocks(const char* p, const char* end) {
    while (end - p >= block) p = step(p, end);
    return p;
  }

  void run_tail(const char* p, const char* end) {
    while (p < end) p = step(p, end);
  }

  // One word or one other character at p, where 16 bytes can be read.
  const char* step(const char* p, const char* end) {
    const WordStart start = read_word(p, splitter_.lowercase_);
    const char* const next = p + start.length;
    if (start.length == 0) {
      switch (kind_at(p)) {
        case Kind::Space:
        case Kind::Removed:
          return p + 1;
        case Kind::Isolated:
          sink_.punctuation(*p);
          return p + 1;
        default:
          return spell(p, end);
      }
    }
    if (start.length == block) return spell(p, end);
    if (next == end) {
      sink_.short_word(start.key, start.length);
      return next;
    }
    const Kind kind = kind_at(next);
    if (kind == Kind::Space) {
      sink_.short_word(start.key, start.length);
      return next + 1;
    }
    if (kind == Kind::Isolated) {
      sink_.short_word(start.key, start.length);
      sink_.punctuation(*next);
      return next + 1;
    }
    return spell(p, end);
  }

  Kind kind_at(const char* p) const {
    return splitter_.byte_kinds_[static_cast<unsigned char>(*p)];
  }

  // Character by character until no word is open.
  const char* spell(const char* p, const char* end) {
    while (p < end) {
      const unicode::Decoded character = unicode::decode(p, end);
      if (character.length == 0) refuse(offset_ + static_cast<std::size_t>(p - base_));
      p += character.length;
      const bool may_end = add(character.value);
      if (may_end && word_.empty() && marks_.empty()) return p;
    }
    end_word();
    return p;
  }

  // Returns whether the character may have ended a word.
  bool add(char32_t value) {
    if (value >= form_count) {
      add_general(value);
      return true;
    }
    const Form& form = splitter_.forms_[value];
    switch (form.kind) {
      case Kind::Letter:
        if (!marks_.empty()) flush_marks();
        word_.append(form.bytes, form.size);
        characters_ += form.characters;
        return false;
      case Kind::Isolated:
        end_word();
        emit_alone({form.bytes, form.size});
        return true;
      case Kind::Space:
        end_word();
        return true;
      case Kind::Removed:
        return false;
      case Kind::General:
        add_general(value);
        return true;
    }
    return true;
  }

  // Any character, in the library's order: clean, space out Chinese, decompose and drop marks,
  // lower-case, cut at punctuation.
  void add_general(char32_t value) {
    if (unicode::is_removed(value)) return;
    if (unicode::is_space(value)) return end_word();
    const bool is_alone = splitter_.split_chinese_ && unicode::is_chinese(value);
    if (is_alone) end_word();
    if (splitter_.strip_accents_) {
      const unicode::Decomposition parts = unicode::decompose(value);
      for (int i = 0; i < parts.count; ++i) add_part(parts.value[i]);
    } else {
      put(value);
    }
    if (is_alone) end_word();
  }

  // Marks that stay are held back until the next starter, to be put in canonical order. Those that
  // are dropped need no place in it, but a dropped starter still ends the run.
  void add_part(char32_t value) {
    const std::uint8_t combining_class = unicode::combining_class(value);
    if (combining_class == 0) flush_marks();
    if (unicode::is_stripped_mark(value)) return;
    if (combining_class == 0) {
      put(value);
    } else {
      marks_.push_back({combining_class, value});
    }
  }

  void flush_marks() {
    std::stable_sort(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) {
      return a.combining_class < b.combining_class;
    });
    for (const Mark& mark : marks_) put(mark.value);
    marks_.clear();
  }

  void put(char32_t value) {
    if (!splitter_.lowercase_) return put_lowered(value);
    const unicode::LowerCase lowered = unicode::lower_case(value);
    for (int i = 0; i < lowered.count; ++i) put_lowered(lowered.value[i]);
  }

  void put_lowered(char32_t value) {
    char bytes[4];
    const auto size = static_cast<std::size_t>(unicode::encode(value, bytes));
    if (unicode::is_punctuation(value)) {
      emit_word();
      emit_alone({bytes, size});
      return;
    }
    word_.append(bytes, size);
    ++characters_;
  }

  void emit_alone(std::string_view bytes) {
    if (bytes.size() == 1) {
      sink_.punctuation(bytes[0]);
    } else {
      sink_.word(bytes, std::size_t{1});
    }
  }

  void end_word() {
    if (!marks_.empty()) flush_marks();
    emit_word();
  }

  void emit_word() {
    if (word_.empty()) return;
    sink_.word(std::string_view(word_), characters_);
    word_.clear();
    characters_ = 0;
  }

  const WordSplitter& splitter_;
  std::size_t offset_;          // of `base_` in the caller's text
  const char* base_ = nullptr;  // where the bytes are read
  Sink& sink_;
  std::string word_;  // the open word, normalised
  std::size_t characters_ = 0;
  std::vector<Mark> marks_;
};

template <class Sink>
void WordSplitter::split(std::string_view text, std::size_t offset, Sink& sink) const {
  Pass<Sink>(*this, offset, sink).run(text);
}

}  // namespace basis
