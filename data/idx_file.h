#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace basis {

/// An array of bytes from an idx file, the format of MNIST (http://yann.lecun.com/exdb/mnist).
struct IdxArray {
  std::vector<std::int64_t> sizes;   // 1 to 4 axes
  std::vector<std::uint8_t> values;  // (sizes[0], ..., sizes.back()), the last axis fastest
};

constexpr std::int64_t most_idx_bytes = INT32_MAX;  // of the elements, so that 32 bits number them

/// Reads an idx file of unsigned bytes, gzipped or not (told by its first bytes, not by its name).
/// Never takes more memory than the header's sizes say, nor believes sizes that the file cannot
/// hold. Throws Error with the path, what was expected and what is there: no such file, another
/// format, another type of elements, more than `most_idx_bytes`, a file that is cut short, is
/// damaged, or has bytes left over.
IdxArray read_idx_file(const std::filesystem::path& path);

}  // namespace basis
