#include "tensor/cuda/kernels/elementwise.h"
#include "tensor/cuda/kernels/mask.h"
#include "tensor/cuda/kernels/over_packs.h"
#include "tensor/cuda/kernels/with_type.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

template <class T>
struct Fill {
  Rows<T> out;
  float value;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    Values<N> values;
    for (int i = 0; i < N; ++i) values.at[i] = value;
    store(out, place, values);
  }
};

template <class From, class To>
struct ConvertRows {
  Rows<const From> x;
  Rows<To> out;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    store(out, place, load(x, place));
  }
};

/// An element at a time, for f64: sums of losses, and what is read from a file of it.
template <class From, class To>
struct ConvertElements {
  const From* x;
  std::int64_t x_stride;
  To* out;
  std::int64_t out_stride;

  __device__ void operator()(Place<1> place) const {
    out[place.row * out_stride + place.column] =
        Convert<To, From>::value(x[place.row * x_stride + place.column]);
  }
};

/// Calls use(Type<T>) with the T of any dtype that is converted.
template <class Use>
void with_any_type(DType dtype, const Use& use) {
  if (dtype == DType::F64) return use(Type<double>{});
  with_type(dtype, "convert", use);
}

struct FillDoubles {
  double* out;
  std::int64_t stride;
  double value;

  __device__ void operator()(Place<1> place) const {
    out[place.row * stride + place.column] = value;
  }
};

template <class T>
struct AddScaled {
  Rows<const T> x;
  Rows<T> out;
  float alpha, beta;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    Values<N> values = load(x, place);
    if (beta == 0) {  // what stands there may be NaN
      for (int i = 0; i < N; ++i) values.at[i] *= alpha;
    } else {
      const Values<N> before = load(out, place);
      for (int i = 0; i < N; ++i) values.at[i] = alpha * values.at[i] + beta * before.at[i];
    }
    store(out, place, values);
  }
};

/// x scale + shift; without a scale or without a shift where that is null.
template <class T>
struct ScaleShift {
  Rows<const T> x;
  const float *scale, *shift;
  Rows<T> out;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    Values<N> values = load(x, place);
    if (scale != nullptr) {
      const Values<N> factors = load<N>(scale + place.column);
      for (int i = 0; i < N; ++i) values.at[i] *= factors.at[i];
    }
    add_to(values, shift, place.column);
    store(out, place, values);
  }
};

template <class T>
void scale_shift(Stream stream, ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                 MatrixView out) {
  over_packs(stream, x.rows, x.columns, all_fit_packs(x, scale, shift, out),
             ScaleShift<T>{rows_of<T>(x), scale.as<float>(), shift.as<float>(), rows_of<T>(out)});
}

template <class T>
struct DropoutRows {
  Rows<const T> x;
  Rows<T> out;
  std::int64_t columns;
  Dropout dropout;
  SequenceView sequences;
  const StepState* state;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    store(out, place, dropped_out(load(x, place), place, columns, dropout, sequences, state));
  }
};

struct BandToDense {
  Rows<const float> band;
  Rows<float> dense;
  std::int64_t half;

  __device__ void operator()(Place<1> place) const {
    const std::int64_t diagonal = half + place.column - place.row;
    const bool is_inside = diagonal >= 0 && diagonal <= 2 * half;
    dense.row(place.row)[place.column] = is_inside ? band.row(diagonal)[place.row] : 0.0f;
  }
};

struct DenseToBand {
  Rows<const float> dense;
  Rows<float> band;
  std::int64_t half, size;
  float beta;

  __device__ void operator()(Place<1> place) const {
    const std::int64_t j = place.column + place.row - half;
    const float value = j >= 0 && j < size ? dense.row(place.column)[j] : 0.0f;
    float* to = band.row(place.row) + place.column;
    *to = beta == 0 ? value : beta * *to + value;
  }
};

}  // namespace

void fill(Stream stream, double value, MatrixView out) {
  if (out.dtype == DType::F64) {
    return over_elements(stream, out.rows, out.columns,
                         FillDoubles{out.as<double>(), out.row_stride, value});
  }
  with_type(out.dtype, "fill", [&](auto type) {
    using T = typename decltype(type)::type;
    over_packs(stream, out.rows, out.columns, fits_packs(out),
               Fill<T>{rows_of<T>(out), static_cast<float>(value)});
  });
}

void convert(Stream stream, ConstMatrixView x, MatrixView out) {
  with_any_type(x.dtype, [&](auto from) {
    with_any_type(out.dtype, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      if constexpr (std::is_same_v<From, double> || std::is_same_v<To, double>) {
        over_elements(
            stream, x.rows, x.columns,
            ConvertElements<From, To>{x.as<From>(), x.row_stride, out.as<To>(), out.row_stride});
      } else {
        over_packs(stream, x.rows, x.columns, all_fit_packs(x, out),
                   ConvertRows<From, To>{rows_of<From>(x), rows_of<To>(out)});
      }
    });
  });
}

void add_scaled(Stream stream, double alpha, ConstMatrixView x, double beta, MatrixView out) {
  with_type(x.dtype, "add_scaled", [&](auto type) {
    using T = typename decltype(type)::type;
    over_packs(stream, x.rows, x.columns, all_fit_packs(x, out),
               AddScaled<T>{rows_of<T>(x), rows_of<T>(out), static_cast<float>(alpha),
                            static_cast<float>(beta)});
  });
}

void scale_columns(Stream stream, ConstMatrixView x, ConstMatrixView v, MatrixView out) {
  scale_shift_columns(stream, x, v, {}, out);
}

void scale_shift_columns(Stream stream, ConstMatrixView x, ConstMatrixView scale,
                         ConstMatrixView shift, MatrixView out) {
  with_type(x.dtype, "scale_shift_columns", [&](auto type) {
    scale_shift<typename decltype(type)::type>(stream, x, scale, shift, out);
  });
}

void add_bias(Stream stream, ConstMatrixView bias, MatrixView out) {
  scale_shift_columns(stream, out, {}, bias, out);
}

void dropout(Stream stream, ConstMatrixView x, Dropout site, const SequenceView& sequences,
             const StepState* state, MatrixView out) {
  if (!site.is_active()) return convert(stream, x, out);
  with_type(x.dtype, "dropout", [&](auto type) {
    using T = typename decltype(type)::type;
    over_packs(stream, x.rows, x.columns, all_fit_packs(x, out),
               DropoutRows<T>{rows_of<T>(x), rows_of<T>(out), x.columns, site, sequences, state});
  });
}

void band_to_dense(Stream stream, ConstMatrixView band, MatrixView dense) {
  over_elements(stream, dense.rows, dense.columns,
                BandToDense{rows_of<float>(band), rows_of<float>(dense), (band.rows - 1) / 2});
}

void dense_to_band(Stream stream, ConstMatrixView dense, double beta, MatrixView band) {
  over_elements(stream, band.rows, band.columns,
                DenseToBand{rows_of<float>(dense), rows_of<float>(band), (band.rows - 1) / 2,
                            dense.columns, static_cast<float>(beta)});
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
