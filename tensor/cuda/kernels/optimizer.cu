#include <algorithm>

#include "tensor/cuda/kernels/optimizer.h"
#include "tensor/cuda/kernels/over_packs.h"
#include "tensor/cuda/kernels/stretches.h"
#include "tensor/step_state.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

/// What all elements of one update share. Read from device memory: a captured graph stays valid.
struct AdamWStep {
  float decay, clip, fresh1, beta2, fresh2, step_size, root_correction, epsilon;

  __device__ AdamWStep(const AdamWConstants& constants, const StepState* state, int group,
                       double weight_decay)
      : decay(static_cast<float>(1 - state->learning_rate[group] * weight_decay)),
        clip(static_cast<float>(state->clip_factor)),
        fresh1(static_cast<float>(1 - constants.beta1)),
        beta2(static_cast<float>(constants.beta2)),
        fresh2(static_cast<float>(1 - constants.beta2)),
        step_size(static_cast<float>(state->learning_rate[group] / state->bias_correction1)),
        root_correction(static_cast<float>(1 / square_root(state->bias_correction2))),
        epsilon(static_cast<float>(constants.epsilon)) {}

  /// One element; its gradient is clipped.
  __device__ void update(float g, float& p, float& moment1, float& moment2) const {
    const float m = moment1 + fresh1 * (g - moment1);
    const float v = beta2 * moment2 + fresh2 * g * g;
    moment1 = m;
    moment2 = v;
    p = decay * p - step_size * m / (square_root(v) * root_correction + epsilon);
  }
};

template <int N>
__device__ void update_elements(const AdamWStep& step, float* value, const float* gradient,
                                float* moment1, float* moment2) {
  Values<N> p = load<N>(value), m = load<N>(moment1), v = load<N>(moment2);
  const Values<N> g = load<N>(gradient);
  for (int i = 0; i < N; ++i) step.update(g.at[i] * step.clip, p.at[i], m.at[i], v.at[i]);
  store<N>(value, p);
  store<N>(moment1, m);
  store<N>(moment2, v);
}

/// An OptimizerRange as a kernel takes it.
struct AdamWStretch {
  float* value;
  const float* gradient;
  float *moment1, *moment2;
  std::int64_t count;
  double weight_decay;
  int group;
};

AdamWStretch stretch_of(const OptimizerRange& range) {
  return {range.value.as<float>(),
          range.gradient.as<float>(),
          range.moment1.as<float>(),
          range.moment2.as<float>(),
          range.value.columns,
          range.weight_decay,
          range.group};
}

struct AdamW {
  AdamWStretch of;
  AdamWConstants constants;
  const StepState* state;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    if (state->skip_update != 0) return;
    const AdamWStep step(constants, state, of.group, of.weight_decay);
    const std::int64_t i = place.column;
    update_elements<N>(step, of.value + i, of.gradient + i, of.moment1 + i, of.moment2 + i);
  }
};

__global__ void __launch_bounds__(stretch_threads)
    adamw_kernel(Stretches<AdamWStretch> table, AdamWConstants constants, const StepState* state) {
  if (state->skip_update != 0) return;
  const auto chunk = static_cast<std::int32_t>(blockIdx.x);
  const int s = table.stretch_of(chunk);
  const AdamWStretch& of = table.stretch[s];
  const std::int64_t i = table.element_of(chunk, s, static_cast<int>(threadIdx.x));
  if (i >= of.count) return;
  const AdamWStep step(constants, state, of.group, of.weight_decay);
  update_elements<pack_size>(step, of.value + i, of.gradient + i, of.moment1 + i, of.moment2 + i);
}

struct Sgd {
  Rows<float> value;
  Rows<const float> gradient;
  Rows<float> buffer;  // null without momentum
  float momentum;
  bool is_nesterov;
  int group;
  float weight_decay;
  const StepState* state;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    if (state->skip_update != 0) return;
    const auto rate = static_cast<float>(state->learning_rate[group]);
    const auto clip = static_cast<float>(state->clip_factor);
    Values<N> p = load(value, place);
    Values<N> g = load(gradient, place);
    for (int i = 0; i < N; ++i) g.at[i] = clip * g.at[i] + weight_decay * p.at[i];
    if (buffer.data != nullptr) g = with_momentum(place, g);
    for (int i = 0; i < N; ++i) p.at[i] -= rate * g.at[i];
    store(value, place, p);
  }

  /// The step's direction. The first step fills the buffer.
  template <int N>
  __device__ Values<N> with_momentum(Place<N> place, const Values<N>& g) const {
    Values<N> b = g;
    if (state->step != 0) {
      const Values<N> before = load(buffer, place);
      for (int i = 0; i < N; ++i) b.at[i] = momentum * before.at[i] + g.at[i];
    }
    store(buffer, place, b);
    if (!is_nesterov) return b;
    for (int i = 0; i < N; ++i) b.at[i] = g.at[i] + momentum * b.at[i];
    return b;
  }
};

/// The rows of a table that have slots.
struct Slots {
  Rows<float> table;
  const std::int32_t *rows, *sources;
  Rows<const float> gradient;

  template <int N>
  __device__ Place<N> in_table(Place<N> slot) const {
    return {rows[slot.row], slot.column};
  }
  /// Zero where the slot has none.
  template <int N>
  __device__ Values<N> gradient_of(Place<N> slot) const {
    const std::int32_t source = sources[slot.row];
    if (source < 0) return {};
    return load(gradient, Place<N>{source, slot.column});
  }
};

Slots slots_of(const OptimizerRows& rows) {
  return {rows_of<float>(rows.table), rows.rows.as<std::int32_t>(), rows.sources.as<std::int32_t>(),
          rows_of<float>(rows.gradient)};
}

struct AdamWRows {
  Slots slots;
  Rows<float> moment1, moment2;
  AdamWConstants constants;
  int group;
  double weight_decay;
  const StepState* state;

  template <int N>
  __device__ void operator()(Place<N> slot) const {
    if (state->skip_update != 0) return;
    const AdamWStep step(constants, state, group, weight_decay);
    const Place<N> place = slots.in_table(slot);
    Values<N> p = load(slots.table, place), m = load(moment1, slot), v = load(moment2, slot);
    const Values<N> g = slots.gradient_of(slot);
    for (int i = 0; i < N; ++i) step.update(g.at[i] * step.clip, p.at[i], m.at[i], v.at[i]);
    store(slots.table, place, p);
    store(moment1, slot, m);
    store(moment2, slot, v);
  }
};

struct SgdRows {
  Slots slots;
  int group;
  float weight_decay;
  const StepState* state;

  template <int N>
  __device__ void operator()(Place<N> slot) const {
    if (state->skip_update != 0) return;
    const auto rate = static_cast<float>(state->learning_rate[group]);
    const auto clip = static_cast<float>(state->clip_factor);
    const Place<N> place = slots.in_table(slot);
    Values<N> p = load(slots.table, place);
    const Values<N> g = slots.gradient_of(slot);
    for (int i = 0; i < N; ++i) {
      p.at[i] -= rate * (clip * g.at[i] + weight_decay * p.at[i]);
    }
    store(slots.table, place, p);
  }
};

/// What the rows without a slot owe after this step.
struct GrowDebt {
  double* owed;
  int group;
  double weight_decay;
  const StepState* state;

  __device__ void operator()(Place<1>) const {
    if (state->skip_update != 0) return;
    *owed *= 1 - state->learning_rate[group] * weight_decay;
  }
};

bool fits(const OptimizerRange& range) {
  return all_fit_packs(range.value, range.gradient, range.moment1, range.moment2);
}

template <class Update>
void over_slots(Stream stream, const OptimizerRows& rows, bool in_packs, const StepState* state,
                const Update& update) {
  over_packs(stream, rows.rows.columns, rows.table.columns, in_packs, update);
  over_elements(stream, 1, 1,
                GrowDebt{rows.owed.as<double>(), rows.group, rows.weight_decay, state});
}

}  // namespace

void adamw(Stream stream, const OptimizerRange& range, const AdamWConstants& constants,
           const StepState* state) {
  over_packs(stream, 1, range.value.columns, fits(range),
             AdamW{stretch_of(range), constants, state});
}

void adamw_of_all(Stream stream, std::span<const OptimizerRange> ranges,
                  const AdamWConstants& constants, const StepState* state) {
  if (!std::all_of(ranges.begin(), ranges.end(), fits)) {
    for (const OptimizerRange& range : ranges) adamw(stream, range, constants, state);
    return;
  }
  for_tables<AdamWStretch>(
      ranges, stretch_of, [](const OptimizerRange& range) { return range.value.columns; },
      [&](const Stretches<AdamWStretch>& table) {
        launch(stream, table.chunks(), 1, stretch_threads, 0, adamw_kernel, table, constants,
               state);
      });
}

void sgd(Stream stream, const OptimizerRange& range, const SgdConstants& constants,
         const StepState* state) {
  MatrixView buffer = range.moment1;
  if (constants.momentum == 0) buffer = {};
  over_packs(
      stream, 1, range.value.columns, all_fit_packs(range.value, range.gradient, buffer),
      Sgd{rows_of<float>(range.value), rows_of<float>(range.gradient), rows_of<float>(buffer),
          static_cast<float>(constants.momentum), constants.is_nesterov, range.group,
          static_cast<float>(range.weight_decay), state});
}

void adamw_rows(Stream stream, const OptimizerRows& rows, const AdamWConstants& constants,
                const StepState* state) {
  over_slots(stream, rows, all_fit_packs(rows.table, rows.gradient, rows.moment1, rows.moment2),
             state,
             AdamWRows{slots_of(rows), rows_of<float>(rows.moment1), rows_of<float>(rows.moment2),
                       constants, rows.group, rows.weight_decay, state});
}

void sgd_rows(Stream stream, const OptimizerRows& rows, const StepState* state) {
  over_slots(stream, rows, all_fit_packs(rows.table, rows.gradient), state,
             SgdRows{slots_of(rows), rows.group, static_cast<float>(rows.weight_decay), state});
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
