#include "tests/behaviour/far_backend.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <sys/mman.h>

#include "tensor/cpu/cpu_backend.h"

namespace basis::behaviour {

/// One stretch of address space, handed out from its beginning; what comes back is handed out again
/// for the same size.
class FarBackend::Pool {
 public:
  Pool() {
    void* start =
        mmap(nullptr, capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) throw Error("far backend: no address space");
    begin_ = static_cast<std::byte*>(start);
  }
  ~Pool() { munmap(begin_, capacity); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  std::byte* take(std::size_t size) {
    std::vector<std::byte*>& same = free_[size];
    if (!same.empty()) {
      std::byte* memory = same.back();
      same.pop_back();
      return memory;
    }
    if (used_ + size > capacity) throw Error("far backend: no memory left");
    std::byte* memory = begin_ + used_;
    used_ += size;
    return memory;
  }
  void give_back(std::byte* memory, std::size_t size) { free_[size].push_back(memory); }

  bool contains(const void* pointer) const {
    const auto* place = static_cast<const std::byte*>(pointer);
    return place >= begin_ && place < begin_ + used_;
  }
  void set_access(int protection) {
    if (used_ == 0) return;
    if (mprotect(begin_, used_, protection) != 0) throw Error("far backend: mprotect fails");
  }

 private:
  static constexpr std::size_t capacity = std::size_t{8} << 30;

  std::byte* begin_ = nullptr;
  std::size_t used_ = 0;
  std::map<std::size_t, std::vector<std::byte*>> free_;
};

/// The memory is there as long as this is.
class FarBackend::Open {
 public:
  explicit Open(Pool& pool) : pool_(pool) { pool_.set_access(PROT_READ | PROT_WRITE); }
  ~Open() { pool_.set_access(PROT_NONE); }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

 private:
  Pool& pool_;
};

namespace {

using Pointers = std::vector<const void*>;

// Every pointer to memory that an argument holds.
template <class Number>
requires std::is_arithmetic_v<Number> || std::is_enum_v<Number>
void collect(Pointers&, Number) {}
void collect(Pointers&, const Dropout&) {}
void collect(Pointers&, const AttentionShape&) {}
void collect(Pointers&, const AdamWConstants&) {}
void collect(Pointers&, const SgdConstants&) {}
void collect(Pointers& all, const StepState* state) {
  all.push_back(state);
}
void collect(Pointers& all, const ConstMatrixView& view) {
  all.push_back(view.data);
}
void collect(Pointers& all, const MatrixView& view) {
  all.push_back(view.data);
}
void collect(Pointers& all, const Workspace& workspace) {
  all.push_back(workspace.data);
}
void collect(Pointers& all, const RowDebt& debt) {
  all.insert(all.end(), {debt.slots, debt.owed});
}
void collect(Pointers& all, const SequenceView& sequences) {
  all.insert(all.end(), {sequences.offsets, sequences.sequence_of_row});
}
void collect(Pointers& all, const PreparedWeight& weight) {
  collect(all, weight.source);
}
void collect(Pointers& all, const EmbeddingRows& rows) {
  collect(all, rows.debt);
  for (const ConstMatrixView& view :
       {rows.word, rows.ids, rows.position, rows.positions, rows.type, rows.types}) {
    collect(all, view);
  }
}
void collect(Pointers& all, const OptimizerRange& range) {
  for (const ConstMatrixView& view :
       {ConstMatrixView(range.value), range.gradient, ConstMatrixView(range.moment1),
        ConstMatrixView(range.moment2)}) {
    collect(all, view);
  }
}
void collect(Pointers& all, const OptimizerRows& rows) {
  for (const ConstMatrixView& view :
       {ConstMatrixView(rows.table), rows.rows, rows.sources, rows.gradient,
        ConstMatrixView(rows.moment1), ConstMatrixView(rows.moment2), ConstMatrixView(rows.owed)}) {
    collect(all, view);
  }
}

}  // namespace

template <class Result, class... Parameters, class... Arguments>
Result FarBackend::call(Result (Backend::*kernel)(Parameters...), const Arguments&... arguments) {
  Pointers pointers;
  (collect(pointers, arguments), ...);
  for (const void* pointer : pointers) {
    ensure(pointer == nullptr || pool_->contains(pointer), "a kernel's pointer is to the device");
  }
  const Open open(*pool_);
  return (inner_.get()->*kernel)(arguments...);
}

FarBackend::FarBackend(int threads, bool is_asynchronous)
    : inner_(make_cpu_backend(threads)),
      pool_(std::make_shared<Pool>()),
      is_asynchronous_(is_asynchronous) {}

FarBackend::~FarBackend() = default;

Block FarBackend::reserve(std::size_t bytes) {
  constexpr std::size_t alignment = 64;
  constexpr std::size_t most_to_spoil = std::size_t{1} << 20;
  ++reservations_;
  const std::size_t size = std::max(alignment, (bytes + alignment - 1) / alignment * alignment);
  std::byte* memory = pool_->take(size);
  // A device's memory is what others left there.
  const Open open(*pool_);
  std::memset(memory, 0xFF, std::min(size, most_to_spoil));
  return Block(memory, [pool = pool_, size](std::byte* p) { pool->give_back(p, size); });
}

void FarBackend::copy_to_device(const void* host, void* device, std::size_t bytes) {
  if (bytes == 0) return;
  ensure(pool_->contains(device) && !pool_->contains(host), "copy_to_device: from host to device");
  const Open open(*pool_);
  std::memcpy(device, host, bytes);
}

void FarBackend::copy_to_host(const void* device, void* host, std::size_t bytes) {
  if (bytes == 0) return;
  ensure(pool_->contains(device) && !pool_->contains(host), "copy_to_host: from device to host");
  const Open open(*pool_);
  std::memcpy(host, device, bytes);
}

void FarBackend::fill(double value, MatrixView out) {
  call(&Backend::fill, value, out);
}

void FarBackend::convert(ConstMatrixView x, MatrixView out) {
  call(&Backend::convert, x, out);
}

void FarBackend::add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) {
  call(&Backend::add_scaled, alpha, x, beta, out);
}

void FarBackend::scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) {
  call(&Backend::scale_columns, x, v, out);
}

void FarBackend::scale_shift_columns(ConstMatrixView x, ConstMatrixView scale,
                                     ConstMatrixView shift, MatrixView out) {
  call(&Backend::scale_shift_columns, x, scale, shift, out);
}

std::size_t FarBackend::column_sum_workspace(std::int64_t rows, std::int64_t columns,
                                             DType dtype) const {
  return inner_->column_sum_workspace(rows, columns, dtype);
}

void FarBackend::column_sum(ConstMatrixView x, double beta, MatrixView out, Workspace workspace) {
  call(&Backend::column_sum, x, beta, out, workspace);
}

void FarBackend::column_dot(double alpha, ConstMatrixView x, ConstMatrixView y, double beta,
                            MatrixView out, Workspace workspace) {
  call(&Backend::column_dot, alpha, x, y, beta, out, workspace);
}

void FarBackend::band_to_dense(ConstMatrixView band, MatrixView dense) {
  call(&Backend::band_to_dense, band, dense);
}

void FarBackend::dense_to_band(ConstMatrixView dense, double beta, MatrixView band) {
  call(&Backend::dense_to_band, dense, beta, band);
}

void FarBackend::inverse_row_norms(ConstMatrixView x, MatrixView out) {
  call(&Backend::inverse_row_norms, x, out);
}

void FarBackend::matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                        bool transpose_b, double beta, MatrixView out) {
  call(&Backend::matmul, alpha, a, transpose_a, b, transpose_b, beta, out);
}

PreparedWeight FarBackend::prepare_weight(ConstMatrixView source, DType compute) {
  return call(&Backend::prepare_weight, source, compute);
}

void FarBackend::refresh_weight(const PreparedWeight& weight) {
  call(&Backend::refresh_weight, weight);
}

void FarBackend::linear(ConstMatrixView x, const PreparedWeight& weight, ConstMatrixView bias,
                        MatrixView out) {
  call(&Backend::linear, x, weight, bias, out);
}

void FarBackend::linear_input_gradient(ConstMatrixView g, const PreparedWeight& weight, double beta,
                                       MatrixView out) {
  call(&Backend::linear_input_gradient, g, weight, beta, out);
}

void FarBackend::activation(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                            MatrixView out) {
  call(&Backend::activation, kind, x, bias, out);
}

void FarBackend::activation_gradient(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                                     ConstMatrixView dout, MatrixView dx) {
  call(&Backend::activation_gradient, kind, x, bias, dout, dx);
}

void FarBackend::curvature(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                           ConstMatrixView c, MatrixView out) {
  call(&Backend::curvature, x, bias, beta, c, out);
}

std::size_t FarBackend::curvature_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                                     DType dtype) const {
  return inner_->curvature_gradient_workspace(rows, columns, dtype);
}

void FarBackend::curvature_gradient(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                                    ConstMatrixView c, ConstMatrixView dout, MatrixView dx,
                                    MatrixView out, double beta_bias, MatrixView dbias,
                                    double beta_beta, MatrixView dbeta, double beta_c,
                                    MatrixView dc, Workspace workspace) {
  call(&Backend::curvature_gradient, x, bias, beta, c, dout, dx, out, beta_bias, dbias, beta_beta,
       dbeta, beta_c, dc, workspace);
}

void FarBackend::dropout(ConstMatrixView x, Dropout site, const SequenceView& sequences,
                         const StepState* state, MatrixView out) {
  call(&Backend::dropout, x, site, sequences, state, out);
}

void FarBackend::layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta,
                            double epsilon, MatrixView out, MatrixView normalised,
                            MatrixView rstd) {
  call(&Backend::layer_norm, x, gamma, beta, epsilon, out, normalised, rstd);
}

std::size_t FarBackend::layer_norm_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                                      DType dtype) const {
  return inner_->layer_norm_gradient_workspace(rows, columns, dtype);
}

void FarBackend::layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                     ConstMatrixView rstd, ConstMatrixView gamma, MatrixView dx,
                                     double beta_gamma, MatrixView dgamma, double beta_beta,
                                     MatrixView dbeta, Workspace workspace) {
  call(&Backend::layer_norm_gradient, dout, normalised, rstd, gamma, dx, beta_gamma, dgamma,
       beta_beta, dbeta, workspace);
}

std::size_t FarBackend::attention_workspace(const SequenceView& sequences,
                                            const AttentionShape& shape, DType dtype) const {
  return inner_->attention_workspace(sequences, shape, dtype);
}

void FarBackend::attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                           const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                           const StepState* state, MatrixView out, MatrixView log_sum_exp,
                           Workspace workspace) {
  call(&Backend::attention, q, k, v, sequences, shape, site, state, out, log_sum_exp, workspace);
}

std::size_t FarBackend::attention_gradient_workspace(const SequenceView& sequences,
                                                     const AttentionShape& shape,
                                                     DType dtype) const {
  return inner_->attention_gradient_workspace(sequences, shape, dtype);
}

void FarBackend::attention_gradient(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                                    ConstMatrixView v, ConstMatrixView out,
                                    ConstMatrixView log_sum_exp, const SequenceView& sequences,
                                    const AttentionShape& shape, Dropout site,
                                    const StepState* state, MatrixView dq, MatrixView dk,
                                    MatrixView dv, Workspace workspace) {
  call(&Backend::attention_gradient, dout, q, k, v, out, log_sum_exp, sequences, shape, site, state,
       dq, dk, dv, workspace);
}

void FarBackend::gather_rows(ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids,
                             double beta, MatrixView out) {
  call(&Backend::gather_rows, table, debt, ids, beta, out);
}

void FarBackend::scatter_add_rows(ConstMatrixView x, ConstMatrixView ids, MatrixView out) {
  call(&Backend::scatter_add_rows, x, ids, out);
}

void FarBackend::segment_sum_rows(ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                                  ConstMatrixView places, std::int64_t written, MatrixView out) {
  call(&Backend::segment_sum_rows, x, offsets, rows, places, written, out);
}

void FarBackend::pay_rows(MatrixView table, ConstMatrixView rows, const RowDebt& debt) {
  call(&Backend::pay_rows, table, rows, debt);
}

void FarBackend::mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) {
  call(&Backend::mean_pool, x, sequences, out);
}

void FarBackend::mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                                    MatrixView dx) {
  call(&Backend::mean_pool_gradient, dout, sequences, dx);
}

void FarBackend::cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                               MatrixView dlogits, Workspace workspace) {
  call(&Backend::cross_entropy, logits, labels, loss, dlogits, workspace);
}

void FarBackend::squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                               MatrixView dx) {
  call(&Backend::squared_error, x, y, loss, dx);
}

void FarBackend::squared_norm(ConstMatrixView x, double beta, MatrixView out) {
  call(&Backend::squared_norm, x, beta, out);
}

void FarBackend::update_clip(ConstMatrixView squared_sum, double clip_norm, StepState* state) {
  call(&Backend::update_clip, squared_sum, clip_norm, state);
}

void FarBackend::add_normalised(double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                                ConstMatrixView rows, MatrixView out) {
  call(&Backend::add_normalised, alpha, x, squared_norm, rows, out);
}

void FarBackend::add_noise(double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
                           const StepState* state, MatrixView out) {
  call(&Backend::add_noise, deviation, squared_norm, stream, state, out);
}

void FarBackend::adamw(const OptimizerRange& range, const AdamWConstants& constants,
                       const StepState* state) {
  call(&Backend::adamw, range, constants, state);
}

void FarBackend::sgd(const OptimizerRange& range, const SgdConstants& constants,
                     const StepState* state) {
  call(&Backend::sgd, range, constants, state);
}

void FarBackend::adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                            const StepState* state) {
  call(&Backend::adamw_rows, rows, constants, state);
}

void FarBackend::sgd_rows(const OptimizerRows& rows, const StepState* state) {
  call(&Backend::sgd_rows, rows, state);
}

std::size_t FarBackend::linear_weight_gradient_workspace(std::int64_t rows, std::int64_t out,
                                                         std::int64_t in, DType dtype) const {
  return inner_->linear_weight_gradient_workspace(rows, out, in, dtype);
}

void FarBackend::linear_weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta,
                                        MatrixView dweight, double beta_bias, MatrixView dbias,
                                        Workspace workspace) {
  call(&Backend::linear_weight_gradient, g, x, beta, dweight, beta_bias, dbias, workspace);
}

void FarBackend::activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                                     ConstMatrixView dout, MatrixView dx, MatrixView out,
                                     double beta_bias, MatrixView dbias, Workspace workspace) {
  call(&Backend::activation_backward, kind, x, bias, dout, dx, out, beta_bias, dbias, workspace);
}

void FarBackend::residual_layer_norm(ConstMatrixView x, Dropout site, ConstMatrixView residual,
                                     const SequenceView& sequences, const StepState* state,
                                     ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                                     MatrixView out, MatrixView normalised, MatrixView rstd) {
  call(&Backend::residual_layer_norm, x, site, residual, sequences, state, gamma, beta, epsilon,
       out, normalised, rstd);
}

void FarBackend::residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                              ConstMatrixView rstd, ConstMatrixView gamma,
                                              Dropout site, const SequenceView& sequences,
                                              const StepState* state, MatrixView dsum,
                                              MatrixView dx, double beta_gamma, MatrixView dgamma,
                                              double beta_beta, MatrixView dbeta,
                                              Workspace workspace) {
  call(&Backend::residual_layer_norm_gradient, dout, normalised, rstd, gamma, site, sequences,
       state, dsum, dx, beta_gamma, dgamma, beta_beta, dbeta, workspace);
}

void FarBackend::embedding_sum(const EmbeddingRows& rows, MatrixView out) {
  call(&Backend::embedding_sum, rows, out);
}

void FarBackend::embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma,
                                      ConstMatrixView beta, double epsilon, MatrixView out,
                                      MatrixView normalised, MatrixView rstd) {
  call(&Backend::embedding_layer_norm, rows, gamma, beta, epsilon, out, normalised, rstd);
}

}  // namespace basis::behaviour
