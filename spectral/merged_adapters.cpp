#include "spectral/merged_adapters.h"

#include "spectral/curvature_tuning.h"
#include "spectral/matrix_transfer.h"

namespace basis {
namespace {

/// 1 / ‖w_i‖, 0 of a row of zeros, as the step's kernel has it.
std::vector<double> inverse_row_norms(const Matrix& w) {
  std::vector<double> inverse = row_norms(w);
  for (double& norm : inverse) norm = norm == 0 ? 0 : 1 / norm;
  return inverse;
}

/// What a layer multiplies with when its adapter has gone.
class MergedLayer {
 public:
  MergedLayer(Backend& backend, Allocator& allocator, const Linear& linear)
      : backend_(backend), allocator_(allocator), adapter_(*linear.adapter()) {
    const Tensor original = linear.weight().value();
    Context context{backend, allocator, nullptr, false, nullptr, original.dtype()};
    weight = adapter_.merged_weight(context, constant(original)).value;
    if (adapter_.scale.of == LayerScale::Of::Nothing) return;
    scale_weight();
    if (adapter_.scale.of == LayerScale::Of::Outputs && linear.bias() != nullptr) {
      scale_bias(linear.bias()->value());
    }
  }

  Tensor weight;
  Tensor bias;  // empty where it stays as it is

 private:
  /// The trained vector.
  std::vector<double> scales() const {
    return host_matrix(backend_, adapter_.scale.vector->value()).elements();
  }

  void scale_weight() {
    Matrix w = host_matrix(backend_, weight);
    if (adapter_.scale.of == LayerScale::Of::Inputs) {
      w = scale_columns(std::move(w), scales());
    } else {
      Matrix columns = scale_columns(transpose(w), scales());
      if (adapter_.scale.of == LayerScale::Of::RowNorms) {
        columns = scale_columns(std::move(columns), inverse_row_norms(w));
      }
      w = transpose(columns);
    }
    weight = device_matrix(backend_, allocator_, w, weight.dtype());
  }

  void scale_bias(const Tensor& original) {
    const std::vector<double> b = host_matrix(backend_, original).elements();
    const Matrix row(1, std::ssize(b), b);
    bias = device_matrix(backend_, allocator_, scale_columns(row, scales()), original.dtype())
               .reshape(original.shape());
  }

  Backend& backend_;
  Allocator& allocator_;
  const Adapter& adapter_;
};

}  // namespace

MergedAdapters::MergedAdapters(Backend& backend, Allocator& allocator, SequenceClassifier& model,
                               Activations activations) {
  if (activations == Activations::Refuse) refuse_curvature(model, "merged");
  for (EncoderLayer& layer : model.layers()) {
    for (const MatrixKind kind : all_matrix_kinds) {
      Linear& linear = layer.matrix(kind);
      if (linear.adapter() == nullptr) continue;
      const MergedLayer merged(backend, allocator, linear);
      Original original{&linear, linear.weight().value(), {}, linear.shared_adapter()};
      linear.weight().set_value(merged.weight);
      if (!merged.bias.is_empty()) {
        original.bias = linear.bias()->value();
        linear.bias()->set_value(merged.bias);
      }
      linear.set_adapter(nullptr);
      originals_.push_back(std::move(original));
    }
  }
}

void MergedAdapters::unmerge() {
  for (const Original& original : originals_) {
    original.linear->weight().set_value(original.weight);
    if (!original.bias.is_empty()) original.linear->bias()->set_value(original.bias);
    original.linear->set_adapter(original.adapter);
  }
  originals_.clear();
}

}  // namespace basis
