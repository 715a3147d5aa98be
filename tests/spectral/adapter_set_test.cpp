// Switching itself is tested on every method in tests/behaviour/reload_test.cpp.
#include "spectral/adapter_set.h"

#include "tests/spectral/adapter_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;

class Switching : public AdapterFolder {
 protected:
  void attach_one(AdapterMethod::Kind kind) {
    AdapterMethod method;
    method.kind = kind;
    attach(backend(), memory(), *model_, method);
  }
  void attach_lora() { attach_one(AdapterMethod::Kind::Lora); }

  Model model_ = base();
};

TEST_F(Switching, RefusesANameThatIsTakenEmptyOrUnknown) {
  AdapterSet adapters(*model_);
  attach_lora();
  adapters.keep("calm");
  EXPECT_THAT(error_of([&] { adapters.use("wild"); }),
              HasSubstr("no adapter is kept as \"wild\"; there are: calm"));
  attach_lora();
  EXPECT_THAT(error_of([&] { adapters.keep("calm"); }), HasSubstr("the name is taken"));
  EXPECT_THAT(error_of([&] { adapters.keep(""); }), HasSubstr("the name is empty"));
}

TEST_F(Switching, LosesNoAdapterThatWasNotKept) {
  AdapterSet adapters(*model_);
  attach_lora();
  adapters.keep("calm");
  attach_lora();
  EXPECT_THAT(error_of([&] { adapters.use("calm"); }), HasSubstr("an adapter that was not kept"));
  adapters.keep("wild");
  adapters.use("calm");
  EXPECT_THAT(error_of([&] { adapters.keep("more"); }), HasSubstr("while \"calm\" is in use"));
  EXPECT_EQ(adapters.in_use(), "calm");
  EXPECT_THAT(adapters.names(), testing::ElementsAre("calm", "wild"));
}

// It fills no matrix's slot.
TEST_F(Switching, LosesNoCurvatureThatWasNotKept) {
  AdapterMethod method;
  method.kind = AdapterMethod::Kind::Head;
  method.curvature = AdapterMethod::Curvature::Trained;
  AdapterSet adapters(*model_);
  attach_lora();
  adapters.keep("calm");
  attach(backend(), memory(), *model_, method);
  EXPECT_THAT(error_of([&] { adapters.use("calm"); }), HasSubstr("an adapter that was not kept"));
  EXPECT_THAT(error_of([&] { AdapterSet another(*model_); }), HasSubstr("begin without one"));
}

TEST_F(Switching, BeginsOnABareModel) {
  attach_lora();
  EXPECT_THAT(error_of([&] { AdapterSet adapters(*model_); }), HasSubstr("begin without one"));
}

TEST_F(Switching, PutsBackWhatTrains) {
  AdapterSet adapters(*model_);
  attach_one(AdapterMethod::Kind::BitFit);
  const std::size_t of_bitfit = model_->parameters().trainable().size();
  adapters.keep("biases");
  attach_lora();
  const std::size_t of_lora = model_->parameters().trainable().size();
  adapters.keep("factors");
  EXPECT_NE(of_bitfit, of_lora);
  adapters.use("biases");
  EXPECT_EQ(model_->parameters().trainable().size(), of_bitfit);
  adapters.use("factors");
  EXPECT_EQ(model_->parameters().trainable().size(), of_lora);
}

}  // namespace
}  // namespace basis
