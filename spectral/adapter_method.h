#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "nn/encoder.h"
#include "nn/sequence_classifier.h"
#include "spectral/svd_basis.h"

namespace basis {

/// What is trained, and how an adapter starts: the rows of METHODS.md 1's table.
struct AdapterMethod {
  enum class Kind : std::uint8_t {
    Full,
    Head,
    BitFit,
    Norms,  // gains and biases of layer norms
    Lora,
    RsLora,
    Pissa,
    Spectral,
    LoraXs,
    Pica,
    Vera,
    Dora,
    Ia3,
  };
  enum class Form : std::uint8_t { Diagonal, Band, Core };  // of Spectral
  enum class Apply : std::uint8_t { Auto, SidePath, Merged };

  /// Curvature Tuning in the activations' place, beside what `kind` does to the matrices: one β for
  /// all, which stands still and steers (S-CT), or β and c for each channel, trained (T-CT).
  enum class Curvature : std::uint8_t { None, Steered, Trained };

  Kind kind = Kind::Full;
  std::int64_t rank = 8;  // r, k of Spectral, where 0 is each matrix's full rank
  double alpha = 0;       // scale alpha / r, of RsLora alpha / √r; 0 means scale 1
  Form form = Form::Core;
  std::int64_t bandwidth = 1;            // d of the band form
  BasisKind basis = BasisKind::Leading;  // of Spectral and Pica
  bool shares_factors = false;           // Pica: one M for the same matrix of all layers
  Curvature curvature = Curvature::None;
  double curvature_beta = -1;       // where β starts or stands; below 0: as curvature_values says
  double curvature_c = -1;          // likewise c
  std::vector<MatrixKind> targets;  // empty: as targets_of says
  Apply apply = Apply::Auto;
  double dropout = 0;                // on the side path's input
  std::uint64_t seed = 0;            // of LoRA's A and of a random basis
  std::int64_t tokens_per_step = 1;  // T, from which Auto counts costs
  DType activations = DType::F32;    // in bf16 no weight is folded
};

inline constexpr AdapterMethod::Kind all_method_kinds[] = {
    AdapterMethod::Kind::Full,  AdapterMethod::Kind::Head,     AdapterMethod::Kind::BitFit,
    AdapterMethod::Kind::Norms, AdapterMethod::Kind::Lora,     AdapterMethod::Kind::RsLora,
    AdapterMethod::Kind::Pissa, AdapterMethod::Kind::Spectral, AdapterMethod::Kind::LoraXs,
    AdapterMethod::Kind::Pica,  AdapterMethod::Kind::Vera,     AdapterMethod::Kind::Dora,
    AdapterMethod::Kind::Ia3};

/// What of AdapterMethod means something to a kind.
bool has_adapter(AdapterMethod::Kind kind);  // targets: it fills the slots of matrices
bool has_factors(AdapterMethod::Kind kind);  // rank, dropout, apply, seed: products are added
bool has_alpha(AdapterMethod::Kind kind);
bool has_basis_choice(AdapterMethod::Kind kind);

/// The matrices that `method` adapts, in the order of all_matrix_kinds; its empty list means all,
/// of Ia3 key, value and ffn_out.
std::vector<MatrixKind> targets_of(const AdapterMethod& method);

/// The rank on a weight (out, in): the method's, or min(out, in) where that is 0. Throws Error,
/// naming the weight, where it does not fit; VeRA's may be above the matrix's own.
std::int64_t rank_on(const AdapterMethod& method, const std::string& weight, const Shape& shape);

/// "full", "head", "bitfit", "norms", "lora", "rslora", "pissa", "spectral", "lora-xs", "pica",
/// "vera", "dora", "ia3".
const char* name_of(AdapterMethod::Kind kind);
/// Does a method with an adapter train this parameter of the encoder itself? BitFit its biases,
/// Norms its layer norms' gains and biases, the others none.
bool trains_of_encoder(AdapterMethod::Kind kind, std::string_view name);
/// "diagonal", "band", "core".
const char* name_of(AdapterMethod::Form form);
/// "none", "steered", "trained".
const char* name_of(AdapterMethod::Curvature curvature);

/// Whether IA3 scales the input of such a matrix (PEFT's "feedforward" modules: output.dense) or
/// its output.
bool scales_input(MatrixKind kind);

/// A weight (out, in) in the host's memory, with its parameter's name.
struct HostWeight {
  std::string name;
  Tensor value;
};

/// Where an adapter's basis of a weight comes from: an SVD, the cache, or an adapter file. Called
/// by several threads at once.
using BasisSource = std::function<Basis(const HostWeight& weight, BasisKind kind, std::int64_t k,
                                        std::uint64_t seed)>;

/// The SVD of the weight itself, computed at once, by `device` where that is given.
Basis basis_of_weight(const HostWeight& weight, BasisKind kind, std::int64_t k, std::uint64_t seed,
                      Decompositions* device = nullptr);
/// The same as a source. `device` must outlive it.
BasisSource basis_by_svd(Decompositions* device = nullptr);

/// Fills the slots of `model` as `method` says and sets once what trains, the head always with it;
/// the only place that does. Throws Error for a rank above a matrix (both are named), a model that
/// has adapters already, a merged form with dropout, or Curvature Tuning beside `full`.
void attach(Backend&, Allocator&, SequenceClassifier& model, const AdapterMethod& method,
            const BasisSource& basis_source = basis_by_svd());

/// What costs least in a training step of T tokens, by counted products (METHODS.md 1): the side
/// path 4 T k (in + out), folded 2 T k (in + out) + 4 in out k, merged 2 T in out + 4 in out k.
Adapter::Path cheapest_path(std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t k,
                            DType activations);

/// The shares of METHODS.md 1.
struct TrainableCount {
  std::int64_t trained = 0;  // outside the head
  std::int64_t head = 0;     // trained parameters of the head
  std::int64_t encoder = 0;  // all parameters of the encoder with embeddings
  std::int64_t adapted = 0;  // elements of the matrices that have an adapter
  /// Of the encoder; 0 where there is none.
  double share() const {
    return encoder == 0 ? 0 : static_cast<double>(trained) / static_cast<double>(encoder);
  }
  /// Of the adapted matrices alone; 0 where none is adapted.
  double adapted_share() const {
    return adapted == 0 ? 0 : static_cast<double>(trained) / static_cast<double>(adapted);
  }
};
TrainableCount count_trainable(SequenceClassifier& model);

}  // namespace basis
