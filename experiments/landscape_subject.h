#pragma once

#include <functional>
#include <vector>

#include "experiments/compute.h"
#include "experiments/runner.h"
#include "spectral/landscape.h"

namespace basis {

/// What a landscape stage looks around: a model with a score of right and wrong, wherever its
/// parameters stand. The functions own what they need but for the device.
struct LandscapeSubject {
  ParameterList moved;
  ParameterList matrices;                      // the encoder's weights, moved or not
  double chance = 0;                           // the score of who knows frequencies alone
  std::function<double()> score;               // in [0, 1]
  std::function<Direction()> loss_gradient;    // of the mean loss of some training rows, by `moved`
  std::function<std::vector<Tensor>()> start;  // values of `moved` before the first step
};

/// A classifier that the stage's last input fine-tuned: its accuracy on dev. Moved are all
/// parameters where it trained all, else what it trained but for the head. The head is new at the
/// start of a fine-tuning and stays there. Throws Error for a regression.
LandscapeSubject classifier_subject(StageContext& stage, Compute& compute,
                                    const ComputeDType& dtype);

/// A language model that the stage's last input trained, a fine-tuning on plain text or a
/// pretraining: how often the right token comes first at the masked positions of held-out text,
/// which are the same at every point. Moved are all parameters, the head's among them. Chance is
/// the share of those positions that the most frequent token of the training text has.
LandscapeSubject language_model_subject(StageContext& stage, Compute& compute,
                                        const ComputeDType& dtype);

/// Of a loss where the parameters stand; zeros where it does not read one. None trains after it.
Direction gradients_of(Compute& compute, const ComputeDType& dtype, const ParameterList& parameters,
                       const std::function<Variable(Context&)>& loss);

}  // namespace basis
