#include "data/wordpiece_pieces.h"

#include <algorithm>

#include "tensor/error.h"

namespace basis {

WordTable::WordTable(std::size_t words) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(2 * words, 16));
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
  slots_.resize(size);
}

void WordTable::insert(const WordKey& key, std::int32_t id) {
  std::size_t i = slot_of(key);
  while (slots_[i].id >= 0 && !(slots_[i].key == key)) i = (i + 1) & mask_;
  slots_[i] = {key, id};
}

struct PieceTrie::Builder {
  struct Piece {
    std::string_view bytes;
    std::int32_t id;
  };
  // The pieces that share the first `depth` bytes; they hang below `node`.
  struct Group {
    std::size_t first, last;
    std::size_t depth;
    std::int32_t node;
  };

  std::vector<Node>& nodes;
  std::size_t free_from = 2;  // no free node before it
  std::size_t used_until = 2;

  Node& node_at(std::size_t index) {
    if (index >= nodes.size()) nodes.resize(std::max(index + 1, 2 * nodes.size()));
    return nodes[index];
  }

  // A base that puts every child on a free node: among the first free ones, or behind all nodes
  // in use, so that building takes linear time.
  std::int32_t find_base(const std::vector<unsigned char>& children) {
    constexpr int max_tries = 64;
    while (node_at(free_from).parent >= 0) ++free_from;
    std::size_t first = std::max<std::size_t>(free_from, children[0] + std::size_t{2});
    for (int tries = 0;; ++tries, ++first) {
      if (tries == max_tries) first = std::max(first, used_until);
      const std::size_t base = first - children[0];
      const bool fits = std::all_of(children.begin(), children.end(),
                                    [&](unsigned char c) { return node_at(base + c).parent < 0; });
      if (!fits) continue;
      used_until = std::max(used_until, base + children.back() + 1);
      return static_cast<std::int32_t>(base);
    }
  }

  void add(std::vector<Piece> pieces, std::int32_t root) {
    std::stable_sort(pieces.begin(), pieces.end(),
                     [](const Piece& a, const Piece& b) { return a.bytes < b.bytes; });
    std::vector<Group> open;
    if (!pieces.empty()) open.push_back({0, pieces.size(), 0, root});
    // Breadth first: nodes that words share come to lie close together.
    for (std::size_t next = 0; next < open.size(); ++next) {
      const Group group = open[next];
      std::size_t begin = group.first;
      for (; begin < group.last && pieces[begin].bytes.size() == group.depth; ++begin) {
        nodes[static_cast<std::size_t>(group.node)].id = pieces[begin].id;
      }
      if (begin == group.last) continue;
      std::vector<unsigned char> children;
      std::vector<std::size_t> starts;
      for (std::size_t i = begin; i < group.last; ++i) {
        const auto c = static_cast<unsigned char>(pieces[i].bytes[group.depth]);
        if (!children.empty() && children.back() == c) continue;
        children.push_back(c);
        starts.push_back(i);
      }
      starts.push_back(group.last);
      const std::int32_t base = find_base(children);
      nodes[static_cast<std::size_t>(group.node)].base = base;
      for (std::size_t k = 0; k < children.size(); ++k) {
        const std::int32_t child = base + children[k];
        nodes[static_cast<std::size_t>(child)].parent = group.node;
        open.push_back({starts[k], starts[k + 1], group.depth + 1, child});
      }
    }
  }
};

PieceTrie::PieceTrie(std::span<const std::string> vocabulary, std::size_t max_bytes) {
  std::vector<Builder::Piece> begins;
  std::vector<Builder::Piece> continues;
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    const std::string_view token = vocabulary[i];
    const bool is_continuation = token.starts_with("##");
    const std::string_view bytes = is_continuation ? token.substr(2) : token;
    if (bytes.empty() || bytes.size() > max_bytes) continue;
    (is_continuation ? continues : begins).push_back({bytes, static_cast<std::int32_t>(i)});
  }
  nodes_.resize(2);
  nodes_[begin_root].parent = no_parent;
  nodes_[continue_root].parent = no_parent;
  Builder builder{nodes_};
  builder.add(std::move(begins), begin_root);
  builder.add(std::move(continues), continue_root);
  const auto is_used = [](const Node& node) { return node.parent >= 0; };
  const auto last = std::find_if(nodes_.rbegin(), nodes_.rend(), is_used);
  nodes_.resize(static_cast<std::size_t>(nodes_.rend() - last) + 256);  // base + c needs no check
  nodes_.shrink_to_fit();
}

std::size_t PieceTrie::cut(std::string_view word, std::int32_t* ids) const {
  const Node* const nodes = nodes_.data();
  std::size_t count = 0;
  std::int32_t root = begin_root;
  for (std::size_t from = 0; from < word.size(); root = continue_root) {
    std::int32_t node = root;
    std::int32_t best = -1;
    std::size_t best_end = from;
    for (std::size_t i = from; i < word.size(); ++i) {
      const std::int32_t child = nodes[node].base + static_cast<unsigned char>(word[i]);
      if (nodes[child].parent != node) break;
      node = child;
      if (nodes[node].id >= 0) {
        best = nodes[node].id;
        best_end = i + 1;
      }
    }
    if (best < 0) return 0;
    ids[count++] = best;
    from = best_end;
  }
  return count;
}

}  // namespace basis
