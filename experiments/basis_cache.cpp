#include "experiments/basis_cache.h"

#include <cstring>

#include "tensor/hash.h"

namespace basis {

namespace {

std::string key_of(const HostWeight& weight, BasisKind kind, std::int64_t k, std::uint64_t seed,
                   const Decompositions* device) {
  Hasher hasher;
  hasher.add("basis 3").add(name_of(kind)).add(k);
  const bool is_drawn = kind == BasisKind::Random || kind == BasisKind::Shuffled ||
                        kind == BasisKind::Rotated || kind == BasisKind::Flipped;
  if (is_drawn) hasher.add(seed).add(weight.name);
  if (device != nullptr) hasher.add(device->name());
  return hasher.add(weight.value).hex();
}

/// U (out x k), V (in x k), σ (k) one behind the other, f64.
std::vector<double> flatten(const Basis& basis) {
  std::vector<double> flat = basis.u.elements();
  flat.insert(flat.end(), basis.v.elements().begin(), basis.v.elements().end());
  flat.insert(flat.end(), basis.sigma.begin(), basis.sigma.end());
  return flat;
}

std::optional<Basis> unflatten(std::span<const std::byte> bytes, std::int64_t out, std::int64_t in,
                               std::int64_t k) {
  const auto u_size = static_cast<std::size_t>(out * k), v_size = static_cast<std::size_t>(in * k);
  const std::size_t size = u_size + v_size + static_cast<std::size_t>(k);
  if (bytes.size() != size * sizeof(double)) return std::nullopt;
  std::vector<double> flat(size);
  std::memcpy(flat.data(), bytes.data(), bytes.size());
  const auto v = flat.begin() + static_cast<std::ptrdiff_t>(u_size);
  const auto sigma = v + static_cast<std::ptrdiff_t>(v_size);
  return Basis{Matrix(out, k, {flat.begin(), v}), Matrix(in, k, {v, sigma}), {sigma, flat.end()}};
}

}  // namespace

BasisSource cached_basis(Cache* cache, Decompositions* device) {
  if (cache == nullptr) return basis_by_svd(device);
  return [cache, device](const HostWeight& weight, BasisKind kind, std::int64_t k,
                         std::uint64_t seed) {
    const std::string key = key_of(weight, kind, k, seed, device);
    if (const auto entry = cache->find(key)) {
      const Shape& shape = weight.value.shape();
      if (auto basis = unflatten(entry->bytes, shape[0], shape[1], k)) return *basis;
    }
    Basis basis = basis_of_weight(weight, kind, k, seed, device);
    const std::vector<double> flat = flatten(basis);
    cache->put(key, std::as_bytes(std::span(flat)));
    return basis;
  };
}

}  // namespace basis
