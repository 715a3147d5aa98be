#pragma once

#include <cstdint>

#include "spectral/svd.h"

namespace basis {

/// The k leading pairs of the decomposition, from the eigenvectors of the smaller of WᵀW and W Wᵀ
/// that belong to its k largest eigenvalues (LAPACK's dsyevr). Signs as svd's; same build and
/// processor: same bits, whatever the number of threads.
///
/// For k up to a quarter of the rank, a third to a fifth of svd's time. Squaring costs accuracy
/// only in small values: the residuals ‖W v - σ u‖ and ‖Wᵀ u - σ v‖ are at most
/// `leading_svd_accuracy` σ₁, which is measured for each matrix; one that does not reach it, and
/// any with k above a quarter of the rank, takes the leading pairs of svd(matrix). So does a
/// `device`: what is fast on one decomposes the whole (tensor/cuda/solver.h).
///
/// Randomised subspace iteration (Halko et al., arXiv 0909.4061) was tried first: the spectra of
/// BERT's weights fall too slowly for it (20 to 60 iterations to 1e-6, slower than svd itself).
///
/// Throws as svd does, and Error for k below 1 or above the rank.
Svd leading_svd(const Matrix& matrix, std::int64_t k, Decompositions* device = nullptr);

inline constexpr double leading_svd_accuracy = 1e-11;

}  // namespace basis
