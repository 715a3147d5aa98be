#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "data/idx_file.h"
#include "data/image_transforms.h"
#include "tensor/error.h"
#include "tests/data/idx_bytes.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/fuzz/fuzz_targets.h"

namespace basis::fuzz {
namespace {

std::vector<std::string> idx_seeds() {
  std::string varied;
  for (int i = 0; i < 400; ++i) varied += static_cast<char>(i * i);
  const std::vector<std::string> plain = {idx_bytes({3}, "abc"), idx_bytes({4, 10, 10}, varied),
                                          idx_bytes({0, 28, 28}, "")};
  std::vector<std::string> seeds = plain;
  for (const std::string& bytes : plain) {
    for (const int level : {0, 9}) seeds.push_back(gzipped(bytes, level));
  }
  seeds.push_back(gzipped(plain[1].substr(0, 7)) + gzipped(plain[1].substr(7)));
  return seeds;
}

bool run_idx(std::string_view input) {
  static const MemoryFile memory;
  memory.set(input);
  try {
    const IdxArray array = read_idx_file(memory.path());
    const auto count = std::accumulate(array.sizes.begin(), array.sizes.end(), std::int64_t{1},
                                       std::multiplies<>());
    const bool has_none = std::find(array.sizes.begin(), array.sizes.end(), 0) != array.sizes.end();
    demand(has_none ? array.values.empty() : count == std::ssize(array.values),
           "as many elements as the sizes say");
    if (input.starts_with("\x1f\x8b")) return true;
    const std::vector<std::uint32_t> sizes(array.sizes.begin(), array.sizes.end());
    demand(idx_bytes(sizes, {array.values.begin(), array.values.end()}) == input,
           "the array is the file");
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::vector<std::string> image_transform_seeds() {
  return {"rotated:30", "rotated:-30..30.5", "inverted", "noisy:0.25"};
}

bool run_image_transform(std::string_view input) {
  static const ImageSet set{1, 2, 2, 10, {1, 2, 3, 4}, {0}};
  try {
    const ImageTransform transform = parse_image_transform(input);
    demand(parse_image_transform(transform.to_string()) == transform, "reads back what it wrote");
    demand(transformed(set, transform, 0).pixels.size() == 4, "what is taken can be done");
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

const Target image_transform_target{"image_transform", image_transform_seeds, run_image_transform};
const Target idx_target{"idx", idx_seeds, run_idx};

}  // namespace basis::fuzz
