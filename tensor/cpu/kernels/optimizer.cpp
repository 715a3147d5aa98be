#include "tensor/cpu/kernels/common.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

template <class T>
void adamw(int threads, const OptimizerRange& range, const AdamWConstants& constants,
           const StepState* state) {
  if (state->skip_update != 0) return;
  const double rate = state->learning_rate[range.group];
  const T decay = static_cast<T>(1 - rate * range.weight_decay);
  const T clip = static_cast<T>(state->clip_factor);
  const T fresh1 = static_cast<T>(1 - constants.beta1);
  const T beta2 = static_cast<T>(constants.beta2);
  const T fresh2 = static_cast<T>(1 - constants.beta2);
  const T step_size = static_cast<T>(rate / state->bias_correction1);
  const T root_correction = static_cast<T>(1 / __builtin_sqrt(state->bias_correction2));
  const T epsilon = static_cast<T>(constants.epsilon);
  for_stretches(threads, 1, range.value.columns, true, [&](Index, Index begin, Index end) {
    T* p = range.value.as<T>();
    const T* gradient = range.gradient.as<T>();
    T* moment1 = range.moment1.as<T>();
    T* moment2 = range.moment2.as<T>();
    for (Index first = begin; first < end; first += prefetch_block) {
      const Index last = first + prefetch_block < end ? first + prefetch_block : end;
      prefetch_ahead(p + first);
      prefetch_ahead(gradient + first);
      prefetch_ahead(moment1 + first);
      prefetch_ahead(moment2 + first);
#pragma omp simd
      for (Index i = first; i < last; ++i) {
        const T g = gradient[i] * clip;
        const T m = moment1[i] + fresh1 * (g - moment1[i]);
        const T v = beta2 * moment2[i] + fresh2 * g * g;
        moment1[i] = m;
        moment2[i] = v;
        p[i] = decay * p[i] - step_size * m / (square_root(v) * root_correction + epsilon);
      }
    }
  });
}

template <class T>
void sgd(int threads, const OptimizerRange& range, const SgdConstants& constants,
         const StepState* state) {
  if (state->skip_update != 0) return;
  const T rate = static_cast<T>(state->learning_rate[range.group]);
  const T decay = static_cast<T>(range.weight_decay);
  const T clip = static_cast<T>(state->clip_factor);
  const T momentum = static_cast<T>(constants.momentum);
  const bool has_momentum = constants.momentum != 0 && !range.moment1.is_absent();
  const bool is_first = state->step == 0;
  for_stretches(threads, 1, range.value.columns, true, [&](Index, Index begin, Index end) {
    T* p = range.value.as<T>();
    const T* gradient = range.gradient.as<T>();
    T* buffer = range.moment1.as<T>();
    if (!has_momentum) {
#pragma omp simd
      for (Index i = begin; i < end; ++i) p[i] -= rate * (clip * gradient[i] + decay * p[i]);
      return;
    }
    const T ahead = constants.is_nesterov ? T(1) : T(0);
    const T behind = constants.is_nesterov ? momentum : T(1);
    for (Index i = begin; i < end; ++i) {
      const T g = clip * gradient[i] + decay * p[i];
      const T b = is_first ? g : momentum * buffer[i] + g;
      buffer[i] = b;
      p[i] -= rate * (ahead * g + behind * b);
    }
  });
}

template <class T>
constexpr OptimizerKernels make_table() {
  return {adamw<T>, sgd<T>};
}

}  // namespace

const OptimizerKernels optimizer_f32 = make_table<float>();
#if BASIS_KERNELS_F64
const OptimizerKernels optimizer_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
