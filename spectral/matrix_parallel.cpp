#include "spectral/matrix_parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>

#include <omp.h>

namespace basis {

SingleThreadedBlas::SingleThreadedBlas() : threads_before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}

SingleThreadedBlas::~SingleThreadedBlas() {
  omp_set_num_threads(threads_before_);
}

int concurrent_matrices(int most) {
  const int threads = omp_get_max_threads();
  return most > 0 ? std::min(most, threads) : threads;
}

void run_on_threads(int threads, const std::function<void()>& work) {
  std::exception_ptr failure;
#pragma omp parallel num_threads(threads)
  {
    try {
      work();
    } catch (...) {
#pragma omp critical(basis_run_on_threads)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

void for_each_on_threads(std::size_t count, int most,
                         const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  run_on_threads(concurrent_matrices(most), [&] {
    const SingleThreadedBlas one_thread;
    for (std::size_t i = next++; i < count; i = next++) work(i);
  });
}

}  // namespace basis
