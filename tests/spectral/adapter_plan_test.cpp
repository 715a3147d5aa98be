#include "spectral/adapter_plan.h"

#include <cmath>
#include <set>

#include "tests/spectral/adapter_fixture.h"

namespace basis {
namespace {

using Kind = AdapterMethod::Kind;
using Form = AdapterMethod::Form;

AdapterMethod method_of(Kind kind, std::int64_t rank, Form form = Form::Core) {
  AdapterMethod method;
  method.kind = kind;
  method.rank = rank;
  method.form = form;
  return method;
}

/// Trained elements of a BERT's matrices, those that layers share once; no model is made.
std::int64_t trained_of(const AdapterMethod& method, std::int64_t layers, std::int64_t width) {
  std::int64_t count = 0;
  std::set<std::string> names;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (const MatrixKind kind : targets_of(method)) {
      const std::int64_t out = kind == MatrixKind::FfnIn ? 4 * width : width;
      const std::int64_t in = kind == MatrixKind::FfnOut ? 4 * width : width;
      const AdaptedWeight weight{
          layer, kind, bert_matrix_name(layer, kind) + ".weight", {out, in}, {out, in}};
      for (const FactorPlan& factor : plan_adapter(method, weight).parameters()) {
        if (!factor.is_trained || !names.insert(factor.name).second) continue;
        count += factor.shape.element_count();
        if (factor.kind != Factor::Kind::Band) continue;
        count -= method.bandwidth * (method.bandwidth + 1);  // corners
      }
    }
  }
  return count;
}

AdapterMethod on_query_and_value(AdapterMethod method) {
  method.targets = {MatrixKind::Query, MatrixKind::Value};
  return method;
}

AdapterMethod shared(AdapterMethod method) {
  method.shares_factors = true;
  return method;
}

// METHODS.md 1's table of MiniLM, and docs/methods.md's of BERT-base.
TEST(AdapterPlan, TrainsAsManyAsTheTablesSay) {
  const auto minilm = [](const AdapterMethod& method) { return trained_of(method, 6, 384); };
  EXPECT_EQ(minilm(method_of(Kind::Spectral, 384, Form::Diagonal)), 13824);
  EXPECT_EQ(minilm(method_of(Kind::Spectral, 0, Form::Diagonal)), 13824);
  EXPECT_EQ(minilm(method_of(Kind::Spectral, 384, Form::Band)), 41400);
  EXPECT_EQ(minilm(method_of(Kind::Spectral, 35)), 44100);
  EXPECT_EQ(minilm(method_of(Kind::Lora, 1)), 41472);
  EXPECT_EQ(minilm(method_of(Kind::Pica, 2)), 41472);
  EXPECT_EQ(minilm(shared(method_of(Kind::Pica, 13))), 44928);
  EXPECT_EQ(minilm(on_query_and_value(method_of(Kind::Lora, 5))), 46080);
  EXPECT_EQ(minilm(method_of(Kind::Ia3, 0)), 13824);

  const auto base = [](const AdapterMethod& method) { return trained_of(method, 12, 768); };
  EXPECT_EQ(base(method_of(Kind::Spectral, 32, Form::Diagonal)), 2304);
  EXPECT_EQ(base(method_of(Kind::Spectral, 32, Form::Band)), 6768);
  EXPECT_EQ(base(method_of(Kind::Spectral, 32)), 73728);
  EXPECT_EQ(base(method_of(Kind::LoraXs, 32)), 73728);
  for (const Kind kind : {Kind::Lora, Kind::RsLora, Kind::Pissa}) {
    EXPECT_EQ(base(on_query_and_value(method_of(kind, 8))), 294912);
  }
  EXPECT_EQ(base(method_of(Kind::Pica, 8)), 663552);
  EXPECT_EQ(base(shared(method_of(Kind::Pica, 8))), 55296);
  EXPECT_EQ(base(on_query_and_value(method_of(Kind::Vera, 256))), 24576);
  EXPECT_EQ(base(on_query_and_value(method_of(Kind::Dora, 8))), 313344);
  EXPECT_EQ(base(method_of(Kind::Ia3, 0)), 55296);
}

TEST(AdapterPlan, ScalesByTheRankOrItsRoot) {
  const AdaptedWeight weight{
      0, MatrixKind::Query, "encoder.layer.0.attention.self.query.weight", {24, 24}, {24, 24}};
  const auto scale_of = [&](Kind kind, double alpha) {
    AdapterMethod method = method_of(kind, 4);
    method.alpha = alpha;
    return plan_adapter(method, weight).terms.front().scale;
  };
  EXPECT_EQ(scale_of(Kind::Lora, 6), 1.5);
  EXPECT_EQ(scale_of(Kind::LoraXs, 6), 1.5);
  EXPECT_EQ(scale_of(Kind::RsLora, 6), 3);
  EXPECT_EQ(scale_of(Kind::RsLora, 0), 1);
  AdapterMethod pissa = method_of(Kind::Pissa, 4);
  pissa.alpha = 6;
  const std::vector<TermPlan> terms = plan_adapter(pissa, weight).terms;
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[0].scale, 1.5);
  EXPECT_EQ(terms[1].scale, -1.5);
}

class AdapterStart : public AdapterFolder, public testing::WithParamInterface<AdapterMethod> {};

std::string name_of_start(const testing::TestParamInfo<AdapterMethod>& info) {
  std::string name = name_of(info.param.kind);
  std::erase(name, '-');
  return name + (info.param.shares_factors ? "_shared" : "");
}

TEST_P(AdapterStart, LeavesTheModelAsItIs) {
  const Model plain = base();
  const std::vector<double> before = logits(*plain);
  const Model model = base();
  attach(backend(), memory(), *model, GetParam());
  const std::vector<double> after = logits(*model);
  ASSERT_EQ(after.size(), before.size());
  // LoRA-XS starts 1e-5 beside nothing (times σ of order 1); PiSSA subtracts what it adds, to a few
  // roundings of f32.
  const Kind kind = GetParam().kind;
  const double tolerance = kind == Kind::LoraXs ? 1e-3 : kind == Kind::Pissa ? 1e-5 : 0;
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_NEAR(after[i], before[i], tolerance) << i;
  if (kind == Kind::LoraXs) {
    EXPECT_NE(after, before);
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, AdapterStart,
                         testing::Values(method_of(Kind::Lora, 3), method_of(Kind::RsLora, 3),
                                         method_of(Kind::Pissa, 3), method_of(Kind::LoraXs, 3),
                                         method_of(Kind::Spectral, 3), method_of(Kind::Pica, 3),
                                         shared(method_of(Kind::Pica, 3)),
                                         method_of(Kind::Vera, 3)),
                         name_of_start);

TEST_F(AdapterFolder, PissaStartsFromTheLeadingDirectionsOfTheWeight) {
  const Model model = base();
  AdapterMethod method = method_of(Kind::Pissa, 2);
  method.alpha = 6;  // s = 3
  attach(backend(), memory(), *model, method);
  const std::string name = "encoder.layer.1.attention.self.key";
  const auto read = [&](const std::string& what) {
    return to_matrix(to_host(backend(), model->parameters().at(name + what).value()).view());
  };
  const Svd whole = svd(read(".weight"));
  const Matrix leading =
      multiply_a_bt(scale_columns(columns_of(whole.u, 0, 2), {whole.sigma[0], whole.sigma[1]}),
                    columns_of(whole.v, 0, 2));
  for (const char* pair : {"", "0"}) {
    const Matrix b = read(std::string(".pissa_B") + pair), a = read(std::string(".pissa_A") + pair);
    const Matrix product = multiply(b, a);
    for (std::int64_t i = 0; i < product.rows(); ++i) {
      for (std::int64_t j = 0; j < product.columns(); ++j) {
        EXPECT_NEAR(3 * product(i, j), leading(i, j), 1e-6);
      }
    }
  }
}

// One A and one B for all weights: what two sizes have in common is the same, and so are the names.
TEST_F(AdapterFolder, VeraCutsItsProjectionsFromOnePair) {
  const Model model = base();
  AdapterMethod method = method_of(Kind::Vera, 5);
  method.seed = 3;
  attach(backend(), memory(), *model, method);
  std::vector<Matrix> a, b;
  for (const auto& parameter : model->parameters().all()) {
    if (parameter->role() != ParameterRole::Adapter || parameter->is_trainable()) continue;
    const Matrix matrix = to_matrix(to_host(backend(), parameter->value()).view());
    (parameter->name().find("vera_A") != std::string::npos ? a : b).push_back(matrix);
  }
  ASSERT_EQ(a.size(), 2u) << "the width and the feed-forward's";
  ASSERT_EQ(b.size(), 2u);
  double largest = 0;
  for (const std::vector<Matrix>& pair : {a, b}) {
    const std::int64_t rows = std::min(pair[0].rows(), pair[1].rows());
    const std::int64_t columns = std::min(pair[0].columns(), pair[1].columns());
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) EXPECT_EQ(pair[0](i, j), pair[1](i, j));
    }
  }
  for (const double value : b[0].elements()) largest = std::max(largest, std::abs(value));
  EXPECT_LE(largest, std::sqrt(6.0 / 5));
  EXPECT_GT(largest, 0.9 * std::sqrt(6.0 / 5));
}

}  // namespace
}  // namespace basis
