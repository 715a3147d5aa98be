// A training that goes on otherwise than it began says so: its last bits hang on it.
#include "experiments/circumstances.h"

#include <gmock/gmock.h>

#include "tests/behaviour/tiny.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

using testing::HasSubstr;

TEST(Circumstances, NameWhatIsAnother) {
  const Circumstances two = {{"kernels", "avx512 kernels"}, {"threads", "2 threads"}};
  const Circumstances one = {{"kernels", "avx512 kernels"}, {"threads", "1 thread"}};
  const Circumstances old = {{"kernels", "avx2 kernels"}, {"threads", "1 thread"}};
  EXPECT_EQ(difference(two, two), "");
  EXPECT_EQ(
      difference(two, one),
      "resumes with 1 thread what began with 2 threads: results will differ in the last bits");
  EXPECT_EQ(
      difference(two, old),
      "resumes with avx2 kernels, 1 thread what began with avx512 kernels, 2 threads: results "
      "will differ in the last bits");
  EXPECT_EQ(difference({}, two), "") << "of a checkpoint that says nothing";
}

TEST(Circumstances, RememberEveryPiece) {
  const Circumstances two = {{"threads", "2 threads"}}, one = {{"threads", "1 thread"}};
  const Circumstances both = continued(two, one);
  EXPECT_EQ(both, (Circumstances{{"threads", "2 threads, then 1 thread"}}));
  EXPECT_EQ(continued(both, one), both);
  EXPECT_EQ(continued(two, two), two);
  EXPECT_THAT(difference(both, two), HasSubstr("2 threads what began with 2 threads, then 1 "));
}

class Resumed : public FolderTest {
 protected:
  /// The remark of a training that goes on with so many threads, to the end of step `until`.
  std::string resume_with(int threads, std::int64_t until) {
    Machine machine(threads);
    const auto model = tiny_model(machine);
    attach(*machine.backend, machine.memory, *model, {});
    TinyTrainingOptions options;
    options.checkpoint_every = 1;
    options.folder = folder_ / "checkpoints";
    TinyTraining training(machine, *model, options);
    std::int64_t step = training.trainer().resume();
    const std::string remark = training.trainer().resume_remark();
    EXPECT_THROW(training.trainer().run(nullptr, [&] { return ++step == until; }), Cancelled);
    return remark;
  }
};

TEST_F(Resumed, SaysWhenTheNumberOfThreadsIsAnother) {
  EXPECT_EQ(resume_with(2, 1), "");
  EXPECT_EQ(resume_with(2, 2), "");
  EXPECT_EQ(
      resume_with(1, 3),
      "resumes with 1 thread what began with 2 threads: results will differ in the last bits");
  EXPECT_THAT(resume_with(2, 4),
              HasSubstr("resumes with 2 threads what began with 2 threads, then 1 thread: "));
}

}  // namespace
}  // namespace basis::behaviour
