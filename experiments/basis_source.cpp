#include "experiments/basis_source.h"

#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "experiments/model_folder.h"
#include "tensor/error.h"

namespace basis {

BasisSource basis_by_activation(std::map<std::string, Matrix> moments, Decompositions* device) {
  auto shared = std::make_shared<const std::map<std::string, Matrix>>(std::move(moments));
  return [shared, device](const HostWeight& weight, BasisKind, std::int64_t k, std::uint64_t) {
    return activation_basis(svd(to_matrix(weight.value.view()), device), shared->at(weight.name),
                            k);
  };
}

BasisSource basis_by_other_model(const std::filesystem::path& folder, BasisSource by_svd) {
  auto others =
      std::make_shared<const std::vector<EncoderMatrix>>(encoder_matrices(folder, folder));
  return [others, by_svd = std::move(by_svd), folder](const HostWeight& weight, BasisKind,
                                                      std::int64_t k, std::uint64_t seed) {
    for (const EncoderMatrix& other : *others) {
      if (other.name != weight.name) continue;
      const Basis leading = by_svd({other.name, other.value}, BasisKind::Leading, k, seed);
      return basis_of_other(to_matrix(weight.value.view()), leading);
    }
    throw Error(fmt::format("basis \"other-seed\": {} has no {}", folder.string(), weight.name));
  };
}

}  // namespace basis
