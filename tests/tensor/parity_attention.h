#pragma once

#include "tests/tensor/parity.h"

namespace basis {

/// An attention for the parity tests, to be made on one backend or another.
struct AttentionCall {
  ConstMatrixView q, k, v;
  SequenceView sequences;
  AttentionShape shape;
  Dropout site;
  const StepState* state;

  void forward(Backend& backend, MatrixView out, MatrixView log_sum_exp) const {
    Scratch scratch(backend.attention_workspace(sequences, shape, q.dtype));
    backend.attention(q, k, v, sequences, shape, site, state, out, log_sum_exp,
                      scratch.workspace());
  }
  void gradient(Backend& backend, const Matrix& dout, const Matrix& out, const Matrix& log_sum_exp,
                MatrixView dq, MatrixView dk, MatrixView dv) const {
    Scratch scratch(backend.attention_gradient_workspace(sequences, shape, q.dtype));
    backend.attention_gradient(dout.view(), q, k, v, out.view(), log_sum_exp.view(), sequences,
                               shape, site, state, dq, dk, dv, scratch.workspace());
  }
};

/// "2 heads of 64 p 0.1 lengths 3 4".
inline std::string describe_attention(const std::vector<std::int32_t>& lengths, std::int64_t heads,
                                      std::int64_t head_size, double probability) {
  std::string text = std::to_string(heads) + " heads of " + std::to_string(head_size) + " p " +
                     std::to_string(probability) + " lengths";
  for (std::int32_t length : lengths) text.append(" ").append(std::to_string(length));
  return text;
}

}  // namespace basis
