#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/decompositions.h"
#include "tensor/philox.h"
#include "tensor/step_state.h"
#include "tensor/tensor.h"
#include "tensor/view.h"

namespace basis {

enum class Activation : std::uint8_t { GeluErf, GeluTanh, Relu, Tanh, Sigmoid };

/// "gelu", "gelu_new", "relu", "tanh", "sigmoid": Hugging Face's names.
const char* name_of(Activation activation);

/// A weight (out, in) as a backend wants it in products forward and backward. f32 and f64: the
/// weight itself. bf16: a copy in a layout never chosen by T. Opaque to everyone but the backend
/// that made it.
struct PreparedWeight {
  ConstMatrixView source;      // must outlive this
  std::shared_ptr<void> copy;  // the backend's own, if it makes one

  /// Whether `source` alone serves products, so that neighbours in memory may be one weight.
  bool is_plain() const { return copy == nullptr; }
};

struct AttentionShape {
  enum class Queries : std::uint8_t { All, FirstRows };

  std::int64_t heads = 0;          // A
  std::int64_t head_size = 0;      // D = H / A
  double scale = 1;                // of the scores: 1 / sqrt(D)
  Queries queries = Queries::All;  // FirstRows: one of each sequence, that of its first row
};

/// The three tables that a token's embedding is the sum of, and the row of each for every token.
/// Tables (., H) of the accumulation dtype; rows (1, T) i32, within their table.
struct EmbeddingRows {
  ConstMatrixView word, ids;
  RowDebt debt;  // of `word`
  ConstMatrixView position, positions;
  ConstMatrixView type, types;
};

/// One flat stretch of parameters under one optimiser group. All four views are (1, n) of the
/// accumulation dtype.
struct OptimizerRange {
  MatrixView value;
  ConstMatrixView gradient;
  MatrixView moment1;  // SGD: the momentum buffer; absent without momentum
  MatrixView moment2;  // SGD: absent
  int group = 0;       // index into StepState::learning_rate
  double weight_decay = 0;
};

/// Rows of a table under one optimiser group, all that have ever had a gradient. S of them, in
/// slots 0 ... S - 1; everything is of the accumulation dtype but for the integers (i32).
struct OptimizerRows {
  MatrixView table;         // (V, H)
  ConstMatrixView rows;     // (1, S): which row a slot is; no row twice
  ConstMatrixView sources;  // (1, S): which row of `gradient` is the slot's; below 0: none, so zero
  ConstMatrixView gradient;  // (U, H)
  MatrixView moment1;        // (S, H); SGD: absent
  MatrixView moment2;        // (S, H); SGD: absent
  MatrixView owed;           // (1, 1) f64, of all other rows (RowDebt)
  int group = 0;             // index into StepState::learning_rate
  double weight_decay = 0;
};

struct AdamWConstants {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

struct SgdConstants {
  double momentum = 0;
  bool is_nesterov = false;
};

/// Bytes on their way from the device.
class HostCopy {
 public:
  virtual ~HostCopy() = default;
  /// Waits for this copy and for nothing that was asked of the device after it. The bytes are there
  /// as long as the copy is.
  virtual const std::byte* wait() = 0;
};

/// What a device computes, on plain views. Kernels neither allocate nor check shapes: the operation
/// above a kernel checks, allocates, calls and records, once for all devices; scratch comes from
/// the step's workspace, whose size the `..._workspace` twin tells. Calls run in order on the
/// backend's stream; only a copy to the host waits. They come from one thread at a time.
///
/// Dtypes: activations T are f32, bf16 or f64; parameters, their gradients, statistics and
/// optimiser state have the accumulation dtype of T; ids, labels and offsets are i32; sums of
/// losses are f64. `beta` is 0 (overwrite: what stands in `out`, NaN included, must not matter) or
/// 1 (add). Kernels without a `beta` overwrite. Reductions have a fixed order for a fixed thread
/// count.
///
/// Rows beyond T in a packed batch: finite in every input and zero in every gradient of a product
/// over T. Kernels that take a SequenceView keep that promise; row-wise kernels keep it by
/// themselves.
class Backend {
 public:
  virtual ~Backend() = default;

  // ---- Identity ---------------------------------------------------------------------------------
  virtual DeviceKind device() const = 0;
  /// For `basis info` and run records: processor, instruction sets chosen, threads, libraries.
  virtual std::vector<std::pair<std::string, std::string>> description() const = 0;
  /// For run records: the algorithm that each shape of product has got so far, a line each. Empty
  /// where that hangs on nothing but the shape.
  virtual std::vector<std::string> product_choices() const { return {}; }
  /// Whether products in `dtype` run on instructions made for it. Where not, they are right but
  /// slower than f32's.
  virtual bool is_native(DType dtype) const = 0;
  /// Packed rows are rounded up to a multiple of this.
  virtual std::int64_t row_bucket() const = 0;
  /// Names of the fused kernels below that this device has of its own.
  virtual std::vector<std::string> own_fused_kernels() const = 0;
  /// The most memory of its own that the device has given out at a time; 0 where it has the host's.
  virtual std::size_t peak_reserved_bytes() const { return 0; }
  /// Whether calls return before the device has done what they ask, so that it is worth asking for
  /// the next step before this one's numbers are read.
  virtual bool is_asynchronous() const { return false; }

  // ---- Memory -----------------------------------------------------------------------------------
  /// Memory from the system, aligned to 64 bytes (2 MiB, huge pages advised, when large). On the
  /// CPU pages cost nothing until touched. Throws Error when there is none.
  virtual Block reserve(std::size_t bytes) = 0;
  /// `host` is any memory of the host; it may change or go as soon as this returns. Device memory
  /// changes in the order of calls.
  virtual void copy_to_device(const void* host, void* device, std::size_t bytes) = 0;
  /// Waits for all earlier calls.
  virtual void copy_to_host(const void* device, void* host, std::size_t bytes) = 0;
  /// The bytes as they stand after all earlier calls, for who reads them later; device memory may
  /// be used again at once. The default body copies now.
  virtual std::unique_ptr<HostCopy> begin_copy_to_host(const void* device, std::size_t bytes);

  // ---- Decompositions ---------------------------------------------------------------------------
  /// The device's library for them, null where it has none that is better than the host's. Its
  /// memory on the device goes with it.
  virtual std::unique_ptr<Decompositions> make_decompositions() { return nullptr; }

  // ---- Recording --------------------------------------------------------------------------------
  /// Whether work can be recorded once and queued again (a CUDA graph): the same kernels on the
  /// same addresses with the same numbers, so what differs must lie in the backend's memory.
  virtual bool can_record() const { return false; }
  /// From here to end_recording kernels are not run but recorded; nothing may be copied.
  virtual void begin_recording();
  virtual std::shared_ptr<void> end_recording();
  virtual void replay(const std::shared_ptr<void>& recording);

  // ======== Primitive kernels: no default bodies =================================================

  // ---- Elementwise and small reductions ---------------------------------------------------------
  virtual void fill(double value, MatrixView out) = 0;
  /// out = x in out's dtype (f32, f64, bf16 among each other), round to nearest even.
  virtual void convert(ConstMatrixView x, MatrixView out) = 0;
  /// out = alpha x + beta out; any beta. x: (T, n), out: (T, n).
  virtual void add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) = 0;
  /// out_tj = x_tj v_j. x, out: (T, n) of T; v: (1, n) of the accumulation dtype. out may be x.
  virtual void scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) = 0;
  /// out_tj = x_tj scale_j + shift_j: a layer norm's output from its normalised rows. Shapes as in
  /// scale_columns. out may be x.
  virtual void scale_shift_columns(ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                                   MatrixView out) = 0;
  virtual std::size_t column_sum_workspace(std::int64_t rows, std::int64_t columns,
                                           DType dtype) const = 0;
  /// out_j = beta out_j + sum_t x_tj. x: (T, n); out: (1, n) of the accumulation dtype.
  virtual void column_sum(ConstMatrixView x, double beta, MatrixView out, Workspace) = 0;
  /// out_j = beta out_j + alpha sum_t x_tj y_tj. Same workspace as column_sum.
  virtual void column_dot(double alpha, ConstMatrixView x, ConstMatrixView y, double beta,
                          MatrixView out, Workspace) = 0;
  /// Compact band (2 d + 1, k), entry (d + j - i, i) = M_ij, to dense (k, k); the rest is zero.
  virtual void band_to_dense(ConstMatrixView band, MatrixView dense) = 0;
  /// Its transpose: band = beta band + the band of `dense`; corners outside M become beta * band.
  virtual void dense_to_band(ConstMatrixView dense, double beta, MatrixView band) = 0;
  /// out_i = 1 / ‖x_i‖, of a row of zeros 0. x: (n, m), out: (1, n), both of the accumulation
  /// dtype.
  virtual void inverse_row_norms(ConstMatrixView x, MatrixView out) = 0;

  // ---- Products ---------------------------------------------------------------------------------
  /// out = alpha op(a) op(b) + beta out, op a transposition where flagged; any alpha. Row strides
  /// may exceed the columns. a, b: T or the accumulation dtype, equal; out: T or accumulation
  /// dtype.
  virtual void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                      bool transpose_b, double beta, MatrixView out) = 0;
  /// `source` of the accumulation dtype, for activations of `compute`.
  virtual PreparedWeight prepare_weight(ConstMatrixView source, DType compute) = 0;
  /// Brings a prepared weight up to what its source holds by now, in the memory that it has.
  virtual void refresh_weight(const PreparedWeight& weight) = 0;
  /// out = x Wᵀ + bias. x: (T, in), W: (out, in), bias: (1, out) or absent, out: (T, out). A device
  /// may round the bias to x's dtype; the sum is rounded once.
  virtual void linear(ConstMatrixView x, const PreparedWeight& weight, ConstMatrixView bias,
                      MatrixView out) = 0;
  /// out = beta out + g W. g: (T, out), out: (T, in).
  virtual void linear_input_gradient(ConstMatrixView g, const PreparedWeight& weight, double beta,
                                     MatrixView out) = 0;

  // ---- Activations and dropout ------------------------------------------------------------------
  /// out = f(x + bias). x, out: (T, n); bias: (1, n) or absent. out may be x.
  virtual void activation(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                          MatrixView out) = 0;
  /// dx = dout * f'(x + bias). dx may be dout.
  virtual void activation_gradient(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                                   ConstMatrixView dout, MatrixView dx) = 0;
  /// Curvature Tuning's function (arXiv 2502.07783), one for each column: out = f(x + bias),
  ///   f(x) = c s(x beta / o) x + (1 - c) o softplus(x / o),   o = 1 - beta + 1e-6,
  /// s the logistic function, softplus(z) = z above 20. x, out: (T, n) of T; bias: (1, n) or
  /// absent; beta, c: (1, n), from 0 to 1, all of the accumulation dtype. Finite for finite x. out
  /// may be x.
  virtual void curvature(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                         ConstMatrixView c, MatrixView out) = 0;
  virtual std::size_t curvature_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                                   DType dtype) const = 0;
  /// All that it owes in backward: dx = dout * f'(x + bias), out = f(x + bias) once more, and sums
  /// over rows: dbias += dx, dbeta += dout * df/dbeta, dc += dout * df/dc, each with its beta and
  /// (1, n) of the accumulation dtype. dx, out, dbias, dbeta, dc may be absent. out may be x, dx
  /// may be dout.
  virtual void curvature_gradient(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                                  ConstMatrixView c, ConstMatrixView dout, MatrixView dx,
                                  MatrixView out, double beta_bias, MatrixView dbias,
                                  double beta_beta, MatrixView dbeta, double beta_c, MatrixView dc,
                                  Workspace) = 0;
  /// out = x * mask * scale, the element (position, channel) by Philox. Its own gradient. x may be
  /// out. `sequences.offsets` null: row t is example first_example + t at position 0.
  virtual void dropout(ConstMatrixView x, Dropout dropout, const SequenceView& sequences,
                       const StepState* state, MatrixView out) = 0;

  // ---- Layer normalisation (arXiv 1607.06450) ---------------------------------------------------
  /// normalised = (x - mean) rstd over each row, out = normalised * gamma + beta. The variance is
  /// the biased one about the mean, in two passes. x, out, normalised: (T, H), normalised absent
  /// when no gradient is wanted; gamma, beta: (1, H); rstd: (1, T) of the accumulation dtype. out
  /// may be x.
  virtual void layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta,
                          double epsilon, MatrixView out, MatrixView normalised,
                          MatrixView rstd) = 0;
  virtual std::size_t layer_norm_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                                    DType dtype) const = 0;
  /// dx = rstd (g - mean(g) - normalised * mean(g * normalised)), g = dout * gamma;
  /// dgamma += sum_t dout * normalised, dbeta += sum_t dout, each with its beta. dx, dgamma, dbeta
  /// may be absent. dx may be dout.
  virtual void layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                   ConstMatrixView rstd, ConstMatrixView gamma, MatrixView dx,
                                   double beta_gamma, MatrixView dgamma, double beta_beta,
                                   MatrixView dbeta, Workspace) = 0;

  // ---- Attention over packed sequences ----------------------------------------------------------
  virtual std::size_t attention_workspace(const SequenceView&, const AttentionShape&,
                                          DType dtype) const = 0;
  /// For each sequence and head: out = dropout(softmax(scale q kᵀ)) v. q, k, v, out: (T, A D), head
  /// a in columns [a D, (a + 1) D), row strides free. log_sum_exp: (T, A) of the accumulation
  /// dtype, the softmax's normaliser for backward, absent when no gradient is wanted. Sequences up
  /// to 512 rows. With shape.queries = FirstRows q, out and log_sum_exp have B rows.
  virtual void attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                         const SequenceView& sequences, const AttentionShape& shape,
                         Dropout dropout, const StepState* state, MatrixView out,
                         MatrixView log_sum_exp, Workspace) = 0;
  virtual std::size_t attention_gradient_workspace(const SequenceView&, const AttentionShape&,
                                                   DType dtype) const = 0;
  /// dq, dk, dv overwritten; dq, dk, dv are present together. Probabilities and masks are
  /// recomputed.
  virtual void attention_gradient(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                                  ConstMatrixView v, ConstMatrixView out,
                                  ConstMatrixView log_sum_exp, const SequenceView& sequences,
                                  const AttentionShape& shape, Dropout dropout,
                                  const StepState* state, MatrixView dq, MatrixView dk,
                                  MatrixView dv, Workspace) = 0;

  // ---- Rows -------------------------------------------------------------------------------------
  /// out_t = beta out_t + what table[ids_t] is worth. table: (V, H) of T or of the accumulation
  /// dtype; ids: (1, T) i32, within the table; out: (T, H).
  virtual void gather_rows(ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids,
                           double beta, MatrixView out) = 0;
  /// out[ids_t] += x_t, in the order of t. x: (T, H) of T; out: (V, H) of T or accumulation dtype.
  virtual void scatter_add_rows(ConstMatrixView x, ConstMatrixView ids, MatrixView out) = 0;
  /// out[places_u] = (places_u < written ? out[places_u] : 0) + x[rows_i] over i in [offsets_u,
  /// offsets_(u+1)), one after the other. x: (T, H) of T; offsets: (1, U + 1), rows: (1, N),
  /// places: (1, U), no place twice, all i32; out: (P, H) of the accumulation dtype.
  virtual void segment_sum_rows(ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                                ConstMatrixView places, std::int64_t written, MatrixView out) = 0;
  /// table[rows_i] = what it is worth, rounded once; rows: (1, n) i32, no row twice; absent: all.
  virtual void pay_rows(MatrixView table, ConstMatrixView rows, const RowDebt& debt) = 0;
  /// out_b = mean of the rows of sequence b (a sequence of no rows gives 0). x: (rows, H), out: (B,
  /// H).
  virtual void mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) = 0;
  /// dx_t = dout_b / length_b for the rows of b; rows beyond T become zero.
  virtual void mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                                  MatrixView dx) = 0;

  // ---- Losses: sums, never means; the divisor is the whole step's count -------------------------
  /// loss = sum over rows with label >= 0 of log-sum-exp(logits) - logits[label]. logits: (n, C);
  /// labels: (1, n) i32; loss: (1, 1) f64; dlogits, absent or (n, C): its gradient, zero on ignored
  /// rows. dlogits may be logits. Workspace: n doubles.
  virtual void cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                             MatrixView dlogits, Workspace) = 0;
  /// loss = sum (x - y)^2. x: (n, m) of T, y: (n, m) of the accumulation dtype; loss: (1, 1) f64;
  /// dx = 2 (x - y), absent or (n, m).
  virtual void squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                             MatrixView dx) = 0;

  // ---- Optimiser --------------------------------------------------------------------------------
  /// out = beta out + sum x^2 in f64; out: (1, 1) f64. Not finite when an element of x is not.
  virtual void squared_norm(ConstMatrixView x, double beta, MatrixView out) = 0;
  /// From the sum of squares: state.gradient_norm, .clip_factor (clip_norm 0: always 1) and
  /// .skip_update, which becomes 1 where the norm is not finite and never 0 again: the host, who
  /// may hear of it a step late, sets it back. PyTorch's clip_grad_norm_: factor = min(1, clip_norm
  /// / (norm + 1e-6)).
  virtual void update_clip(ConstMatrixView squared_sum, double clip_norm, StepState* state) = 0;
  /// PyTorch's AdamW (arXiv 1711.05101) with state.clip_factor on the gradient:
  /// p *= 1 - lr wd; m, v; p -= lr / bc1 * m / (sqrt(v) / sqrt(bc2) + eps).
  virtual void adamw(const OptimizerRange& range, const AdamWConstants& constants,
                     const StepState* state) = 0;
  /// PyTorch's SGD, decay added to the gradient; the first step fills the momentum buffer.
  virtual void sgd(const OptimizerRange& range, const SgdConstants& constants,
                   const StepState* state) = 0;

  /// adamw for the slots of a table; all other rows owe this step's 1 - lr wd: it multiplies
  /// `owed`.
  virtual void adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                          const StepState* state) = 0;
  /// The same for sgd without momentum.
  virtual void sgd_rows(const OptimizerRows& rows, const StepState* state) = 0;

  // ---- Values moved aside for a gradient (optim/perturbation.h) ---------------------------------
  /// out[rows_t] += alpha x_t / sqrt(squared_norm); nothing where that is 0 or not finite. x: (T,
  /// n), out: (V, n) of the accumulation dtype; squared_norm: (1, 1) f64; rows: (1, T) i32, no row
  /// twice; absent: row t itself.
  virtual void add_normalised(double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                              ConstMatrixView rows, MatrixView out) = 0;
  /// out_i += deviation e_i, e_i ~ N(0, 1) a function of (state.seed, state.step, stream, i) alone
  /// (tensor/gaussian.h). Where squared_norm is present, (1, 1) f64, the deviation is multiplied by
  /// its root. out: (1, n) of the accumulation dtype.
  virtual void add_noise(double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
                         const StepState* state, MatrixView out) = 0;

  // ======== Fused kernels: the default body composes primitives ==================================

  /// dW = beta dW + gᵀ x, dbias = beta_bias dbias + column sums of g; either may be absent.
  virtual std::size_t linear_weight_gradient_workspace(std::int64_t rows, std::int64_t out,
                                                       std::int64_t in, DType dtype) const;
  virtual void linear_weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta,
                                      MatrixView dweight, double beta_bias, MatrixView dbias,
                                      Workspace);

  /// All that a replayed activation owes: dx = dout * f'(x + bias), out = f(x + bias) once more,
  /// dbias = beta_bias dbias + column sums of dx. out and dbias may be absent; out may be x, dx may
  /// be dout. Takes column_sum's workspace.
  virtual void activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                                   ConstMatrixView dout, MatrixView dx, MatrixView out,
                                   double beta_bias, MatrixView dbias, Workspace);

  /// layer_norm(dropout(x) + residual). residual may be absent; out must be neither x nor residual.
  virtual void residual_layer_norm(ConstMatrixView x, Dropout dropout, ConstMatrixView residual,
                                   const SequenceView& sequences, const StepState* state,
                                   ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                                   MatrixView out, MatrixView normalised, MatrixView rstd);
  /// dsum: the gradient of the sum, which is the residual's; dx = dropout(dsum), may be absent or
  /// (without dropout) dsum itself. dgamma, dbeta as in layer_norm_gradient, whose workspace it
  /// takes.
  virtual void residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                            ConstMatrixView rstd, ConstMatrixView gamma,
                                            Dropout dropout, const SequenceView& sequences,
                                            const StepState* state, MatrixView dsum, MatrixView dx,
                                            double beta_gamma, MatrixView dgamma, double beta_beta,
                                            MatrixView dbeta, Workspace);

  /// The sum of all squares in `parts`, as squared_norm; not empty.
  virtual void squared_norm_of_all(std::span<const ConstMatrixView> parts, MatrixView out);
  /// adamw for each of the ranges.
  virtual void adamw_of_all(std::span<const OptimizerRange> ranges, const AdamWConstants& constants,
                            const StepState* state);

  /// out = word[ids], at its worth, + position[positions] + type[types]. out: (T, H).
  virtual void embedding_sum(const EmbeddingRows& rows, MatrixView out);
  /// The layer norm of that sum, as layer_norm.
  virtual void embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma,
                                    ConstMatrixView beta, double epsilon, MatrixView out,
                                    MatrixView normalised, MatrixView rstd);
};

}  // namespace basis
