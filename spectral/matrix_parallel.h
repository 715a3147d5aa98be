#pragma once

#include <cstddef>
#include <functional>

namespace basis {

/// While it lives, BLAS and LAPACK calls of this thread run on this thread alone. A decomposition
/// is bound by memory and gains little from threads, so the analyses run one matrix a thread; and
/// bits then depend on the processor but not on the number of threads.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas();
  ~SingleThreadedBlas();
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;

 private:
  int threads_before_;
};

/// min(OpenMP's threads, `most`), or OpenMP's threads where `most` is 0.
int concurrent_matrices(int most);

/// Calls work(0), ..., work(count - 1), each with single-threaded BLAS, on as many threads as
/// concurrent_matrices(most) says. Rethrows the first exception after all have ended; what has not
/// begun by then may be left out.
void for_each_on_threads(std::size_t count, int most, const std::function<void(std::size_t)>& work);

/// Runs `work` once on each of `threads` threads. Rethrows the first exception after all have
/// ended.
void run_on_threads(int threads, const std::function<void()>& work);

}  // namespace basis
