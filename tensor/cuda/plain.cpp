#include "tensor/cuda/plain.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tensor/error.h"

namespace basis::cuda {

namespace {

constexpr std::array<const char*, 9> names = {
    "attention", "layer_norm",    "layer_norm_gradient", "optimizer", "packs",
    "matmul",    "bias_epilogue", "bias_gradient",       "svd"};

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream stream(list);
  for (std::string part; std::getline(stream, part, ',');) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

}  // namespace

std::span<const char* const> plain_names() {
  return names;
}

bool names_kernel(const std::string& list, const std::string& kernel) {
  const std::vector<std::string> asked = split(list);
  for (const std::string& name : asked) {
    if (name == "all" || std::find(names.begin(), names.end(), name) != names.end()) continue;
    throw Error(
        fmt::format("BASIS_CUDA_PLAIN: no kernel is called \"{}\"; there are {}, and \"all\"", name,
                    fmt::join(names, ", ")));
  }
  return std::any_of(asked.begin(), asked.end(),
                     [&](const std::string& name) { return name == "all" || name == kernel; });
}

bool is_plain(const char* kernel) {
  static const char* const variable = std::getenv("BASIS_CUDA_PLAIN");
  return variable != nullptr && names_kernel(variable, kernel);
}

}  // namespace basis::cuda
