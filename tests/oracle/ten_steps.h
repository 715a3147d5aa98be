#pragma once

#include "tests/oracle/oracle_case.h"

namespace basis::oracle {

struct Steps {
  std::vector<double> losses, norms, final_logits;
};

/// Trains on the ten batches of a file with its settings and scores the first batch again.
Steps ten_steps(Machine& machine, const Case& oracle, SequenceClassifier& model, bool is_sgd);

}  // namespace basis::oracle
