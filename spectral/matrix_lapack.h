#pragma once

#include <cstddef>

// The Fortran LAPACK routines that spectral/ calls. Debian's OpenMP build of OpenBLAS carries
// LAPACK but no LAPACKE. Arguments are column-major; the trailing size_t are the lengths that
// Fortran passes for character arguments. Included by .cpp files only.

namespace basis {

using LapackInt = int;

extern "C" {

/// Singular value decomposition by divide and conquer.
void dgesdd_(const char* job, const LapackInt* m, const LapackInt* n, double* a,
             const LapackInt* lda, double* s, double* u, const LapackInt* ldu, double* vt,
             const LapackInt* ldvt, double* work, const LapackInt* lwork, LapackInt* iwork,
             LapackInt* info, std::size_t);

/// Singular value decomposition by QR iterations: slower, and converges where dgesdd does not.
void dgesvd_(const char* job_u, const char* job_vt, const LapackInt* m, const LapackInt* n,
             double* a, const LapackInt* lda, double* s, double* u, const LapackInt* ldu,
             double* vt, const LapackInt* ldvt, double* work, const LapackInt* lwork,
             LapackInt* info, std::size_t, std::size_t);

/// Chosen eigenpairs of a symmetric matrix.
void dsyevr_(const char* job, const char* range, const char* triangle, const LapackInt* n,
             double* a, const LapackInt* lda, const double* from, const double* to,
             const LapackInt* first, const LapackInt* last, const double* tolerance,
             LapackInt* found, double* values, double* vectors, const LapackInt* ldz,
             LapackInt* support, double* work, const LapackInt* lwork, LapackInt* iwork,
             const LapackInt* liwork, LapackInt* info, std::size_t, std::size_t, std::size_t);

/// QR factorisation; then the leading k columns of Q.
void dgeqrf_(const LapackInt* m, const LapackInt* n, double* a, const LapackInt* lda, double* tau,
             double* work, const LapackInt* lwork, LapackInt* info);
void dorgqr_(const LapackInt* m, const LapackInt* n, const LapackInt* k, double* a,
             const LapackInt* lda, const double* tau, double* work, const LapackInt* lwork,
             LapackInt* info);

}  // extern "C"

}  // namespace basis
