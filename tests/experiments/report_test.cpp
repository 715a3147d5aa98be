#include "experiments/report.h"

#include <cmath>
#include <fstream>
#include <set>

#include <gmock/gmock.h>

#include "experiments/report_curves.h"
#include "experiments/report_scores.h"
#include "experiments/table.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/experiments/fixture.h"
#include "tests/experiments/report_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;

/// EXPECT_THAT would print the whole page.
bool has(const std::string& page, const std::string& part) {
  return page.find(part) != std::string::npos;
}

/// Drawn once for all tests.
const std::string& example_page() {
  static const std::string html = report_html(example_report());
  return html;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++count;
  }
  return count;
}

ReportRun simple_run(const std::string& task, const std::string& method, std::int64_t seed,
                     double score) {
  ReportRun run;
  run.task = task;
  run.method = method;
  run.seed = seed;
  run.result.metrics = {{"accuracy", score}};
  return run;
}

Config two_methods() {
  return parse_config(
      "name = \"x\"\nseeds = [0, 1, 2]\ntasks = [\"rte\"]\n"
      "methods = [\"full\", \"head\"]\n",
      "x.toml");
}

TEST(Spread, IsTheTIntervalFromThreeSeedsAndTheRangeForTwo) {
  // Mean 2, standard deviation 1, t(0.975, 2) = 4.302653: 4.302653 / sqrt(3) = 2.484138.
  const Spread three = spread_of({1, 2, 3});
  EXPECT_EQ(three.count, 3U);
  EXPECT_NEAR(three.half_width(), 2.484138, 1e-6);
  EXPECT_EQ(spread_text(three, 1, 2), " ± 2.48");
  const Spread two = spread_of({3, 1});
  EXPECT_EQ(spread_text(two, 1, 1), " (1.0–3.0)");
  EXPECT_EQ(spread_text(spread_of({3}), 1, 1), "");
  EXPECT_EQ(spread_of({std::nan("")}).count, 0U);
  EXPECT_EQ(spread_of({std::nan(""), 4}).mean, 4);
}

TEST(ScoreTable, MarksTheBestOfATaskOnlyWhereThereIsAChoice) {
  const Config config = two_methods();
  std::vector<ReportRun> runs = {simple_run("rte", "head", 0, 0.6)};
  EXPECT_FALSE(score_table(config, runs).cells[1][0].is_best);
  runs.push_back(simple_run("rte", "full", 0, 0.7));
  const ScoreTable table = score_table(config, runs);
  EXPECT_TRUE(table.cells[0][0].is_best);
  EXPECT_FALSE(table.cells[1][0].is_best);
}

TEST(ScoreTable, ATaskIsWeakWhereFullIsKnownNotToBeAboveTheMajorityClass) {
  struct Case {
    double score;
    double majority;  // NaN: not told
    bool is_weak;
  };
  // Three seeds 0.01 apart: standard error 0.01 / sqrt(3) = 0.00577, three of them 0.0173.
  for (const Case& one : {Case{0.60, 0.55, false}, Case{0.60, 0.59, true}, Case{0.60, 0.7, true},
                          Case{0.60, std::nan(""), false}}) {
    SCOPED_TRACE(one.majority);
    std::vector<ReportRun> runs;
    for (const int seed : {0, 1, 2}) {
      runs.push_back(simple_run("rte", "full", seed, one.score + 0.01 * (seed - 1)));
      if (!std::isnan(one.majority)) {
        runs.back().result.metrics.emplace_back("majority_accuracy", one.majority);
      }
    }
    const ScoreTable table = score_table(two_methods(), runs);
    EXPECT_EQ(table.is_weak[0], one.is_weak);
    EXPECT_EQ(table.cells[0][0].scores.size(), 1U)
        << "the majority's score is none of the method's";
  }
}

TEST(StartComparison, PairsMethodsThatDifferInTheirStartAloneBySeed) {
  const ReportData data = example_report();
  const ScoreTable table = score_table(data.config, data.runs);
  const auto comparisons = start_comparisons(data.config, table, data.runs);
  ASSERT_EQ(comparisons.size(), 1U);
  EXPECT_EQ(comparisons[0].pretrained, "full");
  EXPECT_EQ(comparisons[0].random, "full-random");
  EXPECT_EQ(comparisons[0].differences[0].count, 3U);
  EXPECT_NEAR(comparisons[0].differences[0].mean,
              table.cells[0][0].scores[0].spread.mean - table.cells[5][0].scores[0].spread.mean,
              1e-12);
}

TEST(ReportCurves, BinsKeepTheMeanAndSmoothingKeepsAConstant) {
  ReportCurve curve;
  for (int i = 0; i < 1000; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(i % 2);
  }
  const ReportCurve bins = binned(curve, 10);
  ASSERT_EQ(bins.x.size(), 10U);
  for (const double y : bins.y) EXPECT_NEAR(y, 0.5, 0.01);
  for (double& y : curve.y) y = 3;
  for (const double y : smoothed(curve, 20).y) EXPECT_NEAR(y, 3, 1e-12);
}

TEST(ReportHtml, IsOnePageThatNeedsNothingElse) {
  const std::string& html = example_page();
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>"));
  for (const char* part :
       {"<script", "<link", "<img", "<iframe", "http://", "https://", "@import", "url("}) {
    EXPECT_FALSE(has(html, part)) << part;
  }
  EXPECT_EQ(count_of(html, "<svg"), count_of(html, "</svg>"));
  EXPECT_GT(count_of(html, "<svg"), 20U);
  EXPECT_EQ(count_of(html, "<figure>"), count_of(html, "<figcaption>"));
}

TEST(ReportHtml, HasNoIdTwice) {
  const std::string& html = example_page();
  std::set<std::string> ids;
  for (const char quote : {'"', '\''}) {
    const std::string begin = std::string(" id=") + quote;
    for (std::size_t at = 0; (at = html.find(begin, at)) != std::string::npos;) {
      at += begin.size();
      const std::string id = html.substr(at, html.find(quote, at) - at);
      EXPECT_TRUE(ids.insert(id).second) << id;
    }
  }
  EXPECT_FALSE(ids.empty());
}

TEST(ReportHtml, SaysWhatHasBeenAskedFor) {
  const std::string& html = example_page();
  for (const char* part :
       {"Five ways to fine-tune one encoder", "carry GLUE as well", "Example 9000", "1a2b3c4",
        "2605.07302", "its formula and its tables cannot be had", "basis run config.toml",
        "spectral-core", "22\u202f713\u202f216", "full − full-random", "unigram", "Rotation ratio",
        "Greyed tasks", "‖ΔW‖ / ‖W₀‖", "form = &quot;core&quot;"}) {
    EXPECT_TRUE(has(html, part)) << part;
  }
}

TEST(ReportHtml, StandsWithNothingFinished) {
  ReportData data;
  data.config = two_methods();
  data.stages = 3;
  data.missing = {"finetune rte full seed 0", "a", "b"};
  const std::string html = report_html(data);
  EXPECT_TRUE(has(html, "No fine-tuning has finished yet"));
  EXPECT_TRUE(has(html, "3 of 3 stages are not finished"));
  EXPECT_TRUE(has(html, "finetune rte full seed 0"));
  EXPECT_EQ(count_of(html, "<svg"), 0U);
}

TEST(ReportHtml, ItsLimitsSayWhetherRatesWereTuned) {
  ReportData data;
  data.config = two_methods();
  EXPECT_TRUE(has(report_html(data), "rate was not tuned as carefully"));
  data.config.method.begin()->second.learning_rates = {1e-4, 1e-3};
  EXPECT_FALSE(has(report_html(data), "rate was not tuned as carefully"));
  EXPECT_TRUE(has(report_html(data), "the best of its own grid on each task"));
}

TEST(ReportHtml, TextOfUsersIsNoMarkup) {
  ReportData data;
  data.config = two_methods();
  data.config.report.title = "<script>alert(1)</script>";
  data.config.question = "a < b & c";
  data.machine = {{"processor", "<b>x</b>"}};
  const std::string html = report_html(data);
  EXPECT_FALSE(has(html, "<script"));
  EXPECT_FALSE(has(html, "<b>x"));
  EXPECT_TRUE(has(html, "a &lt; b &amp; c"));
}

TEST(ResultsTable, AlignsColumnsByCharacters) {
  const ReportData data = example_report();
  const std::string text = results_table(data.config, data.runs);
  std::vector<std::size_t> widths;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    std::size_t width = 0;
    for (std::size_t i = begin; i < end; ++i) {
      width += (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U ? 1 : 0;
    }
    widths.push_back(width);
  }
  ASSERT_EQ(widths.size(), 8U);  // two lines of head, six methods
  for (std::size_t row = 2; row < widths.size(); ++row) EXPECT_EQ(widths[row], widths[0]);
  EXPECT_THAT(text, HasSubstr(" ± "));
  EXPECT_EQ(count_of(text, " *"), 5U);  // the best of each task
}

class ReportFiles : public FolderTest {
 protected:
  void write(const std::filesystem::path& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  void write_spectrum_files(const std::string& folder) {
    write(folder + "/spectrum.csv",
          "matrix,side,k,overlap,overlap_corrected,chance,rotation,rotation_gaussian,"
          "rotation_haar,rotation_expected,ratio,energy_core,energy_diagonal,change,out,in\n"
          "a.query.weight,u,1,0,0,0,0.01,,0.02,0.04,0.25,0,0,0.1,2,4\n"
          "a.query.weight,u,2,0,0,0,0,,,inf,,0,0,0.1,2,4\n"
          "a.query.weight,v,1,0,0,0,0.04,,0.08,inf,0.04,0,0,0.1,2,4\n"
          "a.query.weight,v,2,0,0,0,0.2,,,0.4,0.5,0,0,0.1,2,4\n");
    write(folder + "/vectors.csv",
          "matrix,i,sigma,sigma_after,sigma_shift\na.query.weight,1,2,2.2,0.1\n"
          "a.query.weight,2,1,0.8,-0.2\n");
  }
};

TEST_F(ReportFiles, SpectrumIsTheGeometricMeanOverMatricesAndSides) {
  write_spectrum_files("s");
  const ReportSpectrum spectrum = read_report_spectrum(folder_ / "s");
  ASSERT_EQ(spectrum.rotation.size(), 2U);
  EXPECT_NEAR(spectrum.rotation[0], std::sqrt(0.01 * 0.04), 1e-12);
  // u's first order is 0.04; v's is infinite and stops at chance, 1 - 1/4.
  EXPECT_NEAR(spectrum.control[0], std::sqrt(0.04 * 0.75), 1e-12);
  EXPECT_NEAR(spectrum.ratio[0], 0.1, 1e-12);
  EXPECT_NEAR(spectrum.ratio[1], 0.5, 1e-12) << "u has no ratio at k = d";
  EXPECT_NEAR(spectrum.change, 0.1, 1e-12);
  EXPECT_EQ(spectrum.sigma.at("1 query").after, (std::vector<double>{2.2, 0.8}));
  EXPECT_EQ(spectrum.shift, (std::vector<double>{0.1, 0.2}));
  EXPECT_FALSE(spectrum.is_simulated);
  ASSERT_EQ(spectrum.ratios.size(), 2U);
  EXPECT_EQ(spectrum.ratios[0].kind, "1 query");
  EXPECT_EQ(spectrum.ratios[0].layer, -1) << "its name has no layer";
  EXPECT_NEAR(spectrum.ratios[0].ratio, 0.1, 1e-12);
  EXPECT_EQ(spectrum.ratios[1].k, 2);
  EXPECT_NEAR(spectrum.ratios[1].ratio, 0.5, 1e-12);
  // The choices that a specification curve has: only k = 1 of u has both controls.
  int haar = 0, first_order = 0;
  for (const ReportEffect& effect : spectrum.effects) {
    EXPECT_EQ(effect.kind, "1 query");
    if (effect.control == "Haar") {
      EXPECT_NEAR(effect.ratio, 0.5, 1e-12);
      ++haar;
    }
    first_order += effect.control == "first order" ? 1 : 0;
  }
  EXPECT_EQ(haar, 2) << "u and v at k = 1";
  EXPECT_EQ(first_order, 3) << "not u at k = d, where nothing turns";
}

TEST_F(ReportFiles, ADamagedSpectrumNamesFileAndLine) {
  write_spectrum_files("s");
  write("s/vectors.csv", "matrix,i,sigma,sigma_after,sigma_shift\na,1,2,x,0\n");
  try {
    read_report_spectrum(folder_ / "s");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("vectors.csv:2"));
  }
}

TEST_F(ReportFiles, MetricCurvesLeaveOutALineThatAKillCutShort) {
  write("metrics.jsonl",
        "{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2, \"loss\": null}\n"
        "{\"step\": 2, \"dev_f1\": 0.9}\n{\"step\": 3, \"lo");
  const auto curves = read_metric_curves(folder_ / "metrics.jsonl");
  EXPECT_EQ(curves.at("loss").y, (std::vector<double>{0.5}));
  EXPECT_EQ(curves.at("dev_f1").x, (std::vector<double>{2}));
}

TEST_F(ReportFiles, ARunsFolderBecomesAReportWithRemarksOnWhatItLacks) {
  const Plan plan = example_plan();
  const StageStore store(folder_);
  record_run(store, plan, {{"processor", "Example 9000"}});
  for (const Stage& stage : plan.stages) {
    if (stage.kind == StageKind::Report || stage.seed == 1) continue;
    ASSERT_TRUE(store.try_lock(stage));
    StageResult result;
    if (stage.kind == StageKind::Finetune) result.metrics = {{"accuracy", 0.75}};
    store.finish(stage, result);
    const auto folder = std::filesystem::relative(store.folder_of(stage), folder_);
    if (stage.kind == StageKind::Spectrum) write_spectrum_files(folder.string());
    if (stage.method == "full") write(folder / "metrics.jsonl", "{\"step\": 1, \"loss\": 0.5}\n");
  }
  EXPECT_EQ(write_report(folder_), folder_ / "report.html");
  const std::string html = read_file(folder_ / "report.html");
  EXPECT_TRUE(has(html, "Example 9000"));
  EXPECT_TRUE(has(html, "finetune mrpc lora seed 1"));
  EXPECT_TRUE(has(html, "metrics.jsonl"));
  EXPECT_FALSE(has(html, folder_.string())) << "no path of this machine";
  EXPECT_THAT(results_table(store, plan), HasSubstr("75.0"));
}

TEST_F(ReportFiles, AFolderThatIsNoRunIsAnError) {
  EXPECT_THROW(write_report(folder_), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report.html"));
}

}  // namespace
}  // namespace basis
