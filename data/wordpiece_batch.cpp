#include <algorithm>
#include <atomic>

#include <fmt/format.h>
#include <omp.h>

#include "data/wordpiece.h"
#include "tensor/error.h"

namespace basis {
namespace {

/// The texts of one task, cut so that tasks have about the same number of bytes.
struct Share {
  std::size_t first = 0;
  std::size_t last = 0;
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> lengths;
  std::string error;  // of the first text that failed
};

std::vector<Share> cut_shares(std::span<const std::string_view> texts, std::size_t count) {
  std::size_t bytes = 0;
  for (const std::string_view text : texts) bytes += text.size() + 1;
  std::vector<Share> shares(count);
  std::size_t next = 0;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < count; ++i) {
    shares[i].first = next;
    const std::size_t until = i + 1 == count ? bytes : bytes / count * (i + 1);
    while (next < texts.size() && seen < until) seen += texts[next++].size() + 1;
    shares[i].last = next;
  }
  return shares;
}

void tokenize_share(const WordPieceTokenizer& tokenizer, std::span<const std::string_view> texts,
                    Share& share) {
  share.lengths.reserve(share.last - share.first);
  for (std::size_t i = share.first; i < share.last; ++i) {
    const std::size_t before = share.ids.size();
    try {
      tokenizer.tokenize(texts[i], share.ids);
    } catch (const Error& error) {
      share.error = fmt::format("text {}: {}", i, error.what());
      return;
    }
    share.lengths.push_back(static_cast<std::int64_t>(share.ids.size() - before));
  }
}

EncodedTexts join(std::vector<Share> shares, std::size_t texts) {
  EncodedTexts all;
  std::size_t total = 0;
  for (const Share& share : shares) total += share.ids.size();
  all.ids.reserve(total);
  all.offsets.reserve(texts + 1);
  all.offsets.push_back(0);
  for (Share& share : shares) {
    for (const std::int64_t length : share.lengths) {
      all.offsets.push_back(all.offsets.back() + length);
    }
    all.ids.insert(all.ids.end(), share.ids.begin(), share.ids.end());
    share = {};
  }
  return all;
}

}  // namespace

EncodedTexts encode_all(const WordPieceTokenizer& tokenizer,
                        std::span<const std::string_view> texts, int threads) {
  if (threads <= 0) threads = omp_get_max_threads();
  // Several shares a thread, so that a slow one does not keep the others waiting.
  const std::size_t count = threads == 1 ? 1 : 8 * static_cast<std::size_t>(threads);
  std::vector<Share> shares = cut_shares(texts, std::max<std::size_t>(count, 1));
  std::atomic<bool> is_out_of_memory = false;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::size_t i = 0; i < shares.size(); ++i) {
    try {
      tokenize_share(tokenizer, texts, shares[i]);
    } catch (const std::bad_alloc&) {
      is_out_of_memory = true;
    }
  }
  if (is_out_of_memory) throw std::bad_alloc();
  for (const Share& share : shares) {
    if (!share.error.empty()) throw Error(share.error);
  }
  return join(std::move(shares), texts.size());
}

}  // namespace basis
