#include "data/corpus.h"

#include <fstream>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <zstd.h>

#include "data/table.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::size_t chunk = std::size_t{128} << 10;  // bytes read at once

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

/// The bytes of a plain or compressed file in order.
class ByteSource {
 public:
  ByteSource(const std::filesystem::path& path, bool is_compressed)
      : path_(path.string()), file_(path, std::ios::binary), input_(chunk) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
      throw Error(path_ + ": is a folder, expected a file");
    }
    if (!file_) throw Error(path_ + ": cannot be read");
    if (!is_compressed) return;
    zstd_.reset(ZSTD_createDStream());
    ensure(zstd_ != nullptr, "zstd gives a stream");
  }

  /// Up to a chunk of bytes added to `text`; false at the end.
  bool append_to(std::string& text) { return zstd_ ? decompress_to(text) : read_to(text); }

 private:
  std::size_t fill() {
    file_.read(input_.data(), static_cast<std::streamsize>(input_.size()));
    if (file_.bad()) throw Error(path_ + ": cannot be read to its end");
    return static_cast<std::size_t>(file_.gcount());
  }

  bool read_to(std::string& text) {
    const std::size_t got = fill();
    text.append(input_.data(), got);
    return got > 0;
  }

  bool decompress_to(std::string& text) {
    for (;;) {
      if (compressed_.pos == compressed_.size && !is_flushing_) {
        compressed_ = {input_.data(), fill(), 0};
        if (compressed_.size == 0) {
          if (is_inside_frame_)
            throw Error(path_ + ": cut short, the compressed text does not end here");
          return false;
        }
      }
      const std::size_t before = text.size();
      text.resize(before + chunk);
      ZSTD_outBuffer out = {text.data() + before, chunk, 0};
      const std::size_t hint = ZSTD_decompressStream(zstd_.get(), &out, &compressed_);
      text.resize(before + out.pos);
      if (ZSTD_isError(hint)) {
        throw Error(fmt::format("{}: damaged, zstd says: {}", path_, ZSTD_getErrorName(hint)));
      }
      is_inside_frame_ = hint != 0;
      is_flushing_ = out.pos == chunk && is_inside_frame_;  // zstd.h: more may then wait inside
      if (out.pos > 0) return true;
    }
  }

  std::string path_;
  std::ifstream file_;
  std::vector<char> input_;
  std::unique_ptr<ZSTD_DStream, FreeStream> zstd_;
  ZSTD_inBuffer compressed_ = {nullptr, 0, 0};
  bool is_inside_frame_ = true;  // an empty file is cut, too
  bool is_flushing_ = false;
};

bool is_compressed(const std::filesystem::path& path) {
  if (path.extension() == ".zst") return true;
  if (path.extension() == ".txt") return false;
  throw Error(path.string() + ": expected a name that ends in .txt or .zst");
}

}  // namespace

struct CorpusReader::State {
  explicit State(const std::filesystem::path& file)
      : path(file.string()), source(file, is_compressed(file)) {}

  /// The next line without its end; false at the end of the file.
  bool next_line(std::string& line_text);

  std::string path;
  ByteSource source;
  std::string pending;    // read, not handed out
  std::size_t begin = 0;  // of the next line in `pending`
  std::int64_t line = 0;
  bool begins_document = true;
};

bool CorpusReader::State::next_line(std::string& line_text) {
  std::size_t searched = begin;
  std::size_t end;
  while ((end = pending.find('\n', searched)) == std::string::npos) {
    pending.erase(0, begin);
    begin = 0;
    searched = pending.size();
    if (pending.size() > longest_line) {
      throw Error(
          fmt::format("{}:{}: a line of more than {} MiB; a corpus has one paragraph a line", path,
                      line + 1, longest_line >> 20));
    }
    if (!source.append_to(pending)) {
      if (pending.empty()) return false;
      pending += '\n';  // the last line has no end of its own
    }
  }
  ++line;
  line_text.assign(pending, begin, end - begin);
  begin = end + 1;
  if (line_text.ends_with('\r')) line_text.pop_back();
  if (line == 1 && line_text.starts_with("\xEF\xBB\xBF")) line_text.erase(0, 3);
  if (find_invalid_utf8(line_text)) throw Error(fmt::format("{}:{}: invalid UTF-8", path, line));
  return true;
}

CorpusReader::CorpusReader(const std::filesystem::path& path)
    : state_(std::make_unique<State>(path)) {}
CorpusReader::~CorpusReader() = default;
CorpusReader::CorpusReader(CorpusReader&&) noexcept = default;
CorpusReader& CorpusReader::operator=(CorpusReader&&) noexcept = default;

std::optional<Paragraph> CorpusReader::next() {
  Paragraph paragraph;
  while (state_->next_line(paragraph.text)) {
    if (paragraph.text.find_first_not_of(" \t") == std::string::npos) {
      state_->begins_document = true;
      continue;
    }
    paragraph.line = state_->line;
    paragraph.begins_document = std::exchange(state_->begins_document, false);
    return paragraph;
  }
  return std::nullopt;
}

}  // namespace basis
