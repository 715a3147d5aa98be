#include "experiments/start_weights.h"

#include <cmath>

#include <gtest/gtest.h>

#include "experiments/compute.h"
#include "experiments/input_moments.h"
#include "experiments/task_data.h"
#include "spectral/svd.h"

namespace basis {
namespace {

const std::filesystem::path small_model = BASIS_ORACLE_FOLDER "/folders/classifier";

std::vector<Matrix> start(const std::string& kind, std::uint64_t seed, double energy = 0.1) {
  MethodSettings method;
  method.start = kind;
  method.lesion_energy = energy;
  std::vector<Matrix> matrices;
  for (const EncoderMatrix& matrix : start_matrices(small_model, method, seed)) {
    matrices.push_back(to_matrix(matrix.value.view()));
  }
  return matrices;
}

double square_norm(const Matrix& matrix) {
  return inner_product(matrix, matrix);
}

TEST(StartWeights, ThatAreScrambledKeepTheirSingularValuesAlone) {
  const std::vector<Matrix> pretrained = start("pretrained", 3), scrambled = start("scrambled", 3);
  ASSERT_EQ(pretrained.size(), scrambled.size());
  for (std::size_t i = 0; i < pretrained.size(); ++i) {
    const std::vector<double> before = singular_values(pretrained[i]),
                              after = singular_values(scrambled[i]);
    for (std::size_t j = 0; j < before.size(); ++j) {
      EXPECT_NEAR(after[j], before[j], 1e-6 * before[0]) << i;  // weights are f32
    }
    EXPECT_GT(square_norm(subtract(scrambled[i], pretrained[i])), square_norm(pretrained[i]));
    EXPECT_EQ(scrambled[i].elements(), start("scrambled", 3)[i].elements());
    EXPECT_NE(scrambled[i].elements(), start("scrambled", 4)[i].elements());
  }
}

TEST(StartWeights, OfEveryLesionLackTheSameEnergy) {
  const std::vector<Matrix> pretrained = start("pretrained", 3);
  for (const char* kind : {"lesion-leading", "lesion-trailing", "lesion-random"}) {
    const std::vector<Matrix> left = start(kind, 3, 0.25);
    for (std::size_t i = 0; i < left.size(); ++i) {
      const double removed = square_norm(subtract(pretrained[i], left[i]));
      EXPECT_NEAR(removed / square_norm(pretrained[i]), 0.25, 1e-5) << kind;
    }
  }
}

TEST(StartWeights, ThatAreRandomAreDrawnByTheSeed) {
  const std::vector<Matrix> random = start("random", 3);
  EXPECT_EQ(random[0].elements(), start("random", 3)[0].elements());
  EXPECT_NE(random[0].elements(), start("random", 4)[0].elements());
  EXPECT_NE(random[0].elements(), start("pretrained", 3)[0].elements());
}

// A fine-tuning and its spectrum stage must mean the same weights.
TEST(StartWeights, AreWhatAFineTuningStartsFrom) {
  Compute compute;
  MethodSettings method;
  method.start = "scrambled";
  const auto model = load_classifier(compute, small_model, std::nullopt);
  alter_start(compute.backend(), compute.memory(), *model, method, 7);
  const std::vector<Matrix> wanted = start("scrambled", 7);
  const std::vector<Parameter*> weights = encoder_weights(*model);
  ASSERT_EQ(weights.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(to_matrix(weights[i]->value().view()).elements(), wanted[i].elements());
  }
}

// The moments of the model that sees each row alone are those of the batch: rows beyond it, which
// the buckets add, do not count.
TEST(InputMoments, AreMeansOverRealTokens) {
  Compute compute;
  const auto model = load_classifier(compute, small_model, std::nullopt);
  EncodedDataset both;
  both.append({{2, 5, 6, 3}, {0, 0, 0, 0}}, -1);
  both.append({{2, 7, 3}, {0, 0, 0}}, -1);
  EncodedDataset second;
  second.append({{2, 7, 3}, {0, 0, 0}}, -1);
  const auto of_both = input_moments(compute, *model, both, 9, DType::F32);
  const auto of_first = input_moments(compute, *model, both, 1, DType::F32);
  const auto of_second = input_moments(compute, *model, second, 9, DType::F32);
  EXPECT_EQ(of_both.size(), encoder_weights(*model).size());
  for (const auto& [name, moment] : of_both) {
    const Matrix &first = of_first.at(name), &other = of_second.at(name);
    for (std::size_t i = 0; i < moment.elements().size(); ++i) {
      // Of the last layer this head reads the first rows alone, one a sequence.
      const bool is_first_rows = name.find("layer.1") != std::string::npos &&
                                 name.find("key") == std::string::npos &&
                                 name.find("value") == std::string::npos;
      const double ours = is_first_rows ? 1 : 4, theirs = is_first_rows ? 1 : 3;
      const double mean =
          (ours * first.elements()[i] + theirs * other.elements()[i]) / (ours + theirs);
      EXPECT_NEAR(moment.elements()[i], mean, 1e-5 * (1 + std::abs(mean))) << name;
    }
  }
}

TEST(ShuffledLabels, AreTheSameLabelsOnOtherRows) {
  std::vector<Example> rows;
  for (int i = 0; i < 200; ++i) {
    Example row;
    row.first = std::to_string(i);
    row.label = i % 2;
    row.target = i;
    rows.push_back(row);
  }
  std::vector<Example> shuffled = rows, again = rows, other = rows;
  shuffle_labels(shuffled, 1);
  shuffle_labels(again, 1);
  shuffle_labels(other, 2);
  int same = 0, ones = 0, differs = 0;
  double sum = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(shuffled[i].first, rows[i].first);
    EXPECT_EQ(shuffled[i].label, static_cast<std::int32_t>(shuffled[i].target) % 2);
    EXPECT_EQ(shuffled[i].label, again[i].label);
    same += shuffled[i].target == rows[i].target ? 1 : 0;
    differs += shuffled[i].target != other[i].target ? 1 : 0;
    ones += shuffled[i].label;
    sum += shuffled[i].target;
  }
  EXPECT_EQ(ones, 100);
  EXPECT_EQ(sum, 199 * 100.0);
  EXPECT_LT(same, 10);  // one is expected
  EXPECT_GT(differs, 150);
}

}  // namespace
}  // namespace basis
