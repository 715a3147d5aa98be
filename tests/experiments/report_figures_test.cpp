#include "experiments/report_figures.h"

#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/heat_map.h"
#include "experiments/report_html.h"
#include "experiments/report_sections.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string config_text(const std::string& methods, const std::string& rest) {
  std::string text =
      "seeds = [0, 1, 2]\ntasks = [\"rte\", \"sst2\"]\nmethods = [" + methods + "]\n";
  return text + "[model]\npath = \"x\"\n" + rest;
}

std::vector<const PlotSeries*> series_of(const Plot& plot, Style style) {
  std::vector<const PlotSeries*> found;
  for (const PlotSeries& series : plot.series) {
    if (series.style == style) found.push_back(&series);
  }
  return found;
}

/// The colour and opacity of the cell at a place; -100 where there is none.
std::pair<int, double> cell_at(const Plot& plot, double x, double y) {
  for (const PlotSeries* series : series_of(plot, Style::Cells)) {
    for (std::size_t i = 0; i < series->x.size(); ++i) {
      if (series->x[i] == x && series->y[i] == y) return {series->color, series->opacity};
    }
  }
  return {-100, 0};
}

std::size_t points_of(const Plot& plot, Style style) {
  std::size_t count = 0;
  for (const PlotSeries* series : series_of(plot, style)) count += series->x.size();
  return count;
}

// ---- Heat maps ----------------------------------------------------------------------------------

const HeatScale& plain_scale() {
  static const HeatScale scale = {{1, 2, 3, 4}, std::vector<std::string>(9, "level"), 0, 1};
  return scale;
}

TEST(HeatMap, HuesAreTheSignAndDepthTheSize) {
  Plot plot;
  add_heat(plot, plain_scale(),
           {{0, 0, 0.5, ""}, {1, 0, 1.5, ""}, {2, 0, -1.5, ""}, {3, 0, 9, ""}, {4, 0, NAN, ""}});
  EXPECT_EQ(points_of(plot, Style::Cells), 4U) << "what is not a number has no cell";
  EXPECT_EQ(cell_at(plot, 0, 0).first, plot_muted);
  EXPECT_EQ(cell_at(plot, 1, 0).first, 1);
  EXPECT_EQ(cell_at(plot, 2, 0).first, 0);
  EXPECT_EQ(cell_at(plot, 1, 0).second, cell_at(plot, 2, 0).second);
  EXPECT_GT(cell_at(plot, 3, 0).second, cell_at(plot, 1, 0).second);
  EXPECT_EQ(points_of(plot, Style::Points), 2U) << "a dot for each that lies above";
}

TEST(HeatMap, TextsStandInThePagesColourOnDeepCells) {
  Plot plot;
  add_heat(plot, plain_scale(), {{0, 0, 0, "0.1"}, {1, 0, 9, "9"}});
  const auto texts = series_of(plot, Style::Texts);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts[0]->color, plot_ink);
  EXPECT_THAT(texts[0]->texts, ElementsAre("0.1"));
  EXPECT_EQ(texts[1]->color, plot_paper);
  EXPECT_THAT(texts[1]->texts, ElementsAre("9"));
  EXPECT_EQ(points_of(plot, Style::Points), 0U) << "numbers need no dots";
}

TEST(HeatMap, TheLegendHasEveryLevelOnce) {
  const std::vector<LegendEntry> legend = heat_legend(plain_scale());
  std::set<std::pair<int, double>> looks;
  for (const LegendEntry& entry : legend) looks.insert({entry.color, entry.cell_opacity});
  EXPECT_EQ(looks.size(), 9U);
}

ReportSpectrum spectrum(const std::string& method, std::int64_t seed, double ratio_of_key) {
  ReportSpectrum one;
  one.task = "rte";
  one.method = method;
  one.seed = seed;
  for (const std::int64_t layer : {0, 1}) {
    for (const std::int64_t k : {1, 2, 4}) {
      one.ratios.push_back({"1 query", layer, k, 1});
      one.ratios.push_back({"2 key", layer, k, layer == 1 && k == 4 ? ratio_of_key : 1});
    }
  }
  one.ratios.push_back({"7 other", -1, 1, 100});
  return one;
}

ReportData heat_report(double first, double second) {
  ReportData data;
  data.config = parse_config(config_text("\"lora\", \"full\"", ""), "x.toml");
  data.spectra = {spectrum("full", 0, first), spectrum("full", 1, second),
                  spectrum("lora", 0, 1e9)};
  return data;
}

TEST(HeatFigure, HasACellForEveryMatrixAndRankOfTheFullFineTuning) {
  const Figure figure = heat_figure(heat_report(1, 1));
  ASSERT_EQ(figure.panels.size(), 1U) << "one task has spectra, and LoRA's are left out";
  EXPECT_EQ(points_of(figure.panels[0], Style::Cells), 12U);
  EXPECT_EQ(points_of(figure.panels[0], Style::Texts), 12U) << "few enough for numbers";
  EXPECT_EQ(cell_at(figure.panels[0], 2, -3.7).first, plot_muted);
  EXPECT_THAT(figure.caption, HasSubstr("under full"));
  EXPECT_EQ(figure.legend.size(), 9U);
}

TEST(HeatFigure, MovesTheCellOfTheMatrixThatTurnsAndNoOther) {
  // Geometric mean of 2 and 4.5 is 3; key's second layer is the fourth row, one gap down.
  const Figure figure = heat_figure(heat_report(2, 4.5));
  const Plot& plot = figure.panels.at(0);
  EXPECT_EQ(cell_at(plot, 2, -3.7).first, 1);
  EXPECT_EQ(cell_at(plot, 1, -3.7).first, plot_muted);
  EXPECT_EQ(cell_at(plot, 2, -2.7).first, plot_muted);
  std::set<std::string> texts;
  for (const PlotSeries* series : series_of(plot, Style::Texts)) {
    texts.insert(series->texts.begin(), series->texts.end());
  }
  EXPECT_THAT(texts, ElementsAre("1.0", "3.0"));
}

TEST(HeatFigure, ShowsTheMethodOfAClaim) {
  ReportData data = heat_report(1, 1);
  ClaimSettings claim;
  claim.endpoint = "rotation-ratio";
  claim.method = "lora";
  data.config.claim["a"] = claim;
  EXPECT_THAT(heat_figure(data).caption, HasSubstr("under lora"));
}

TEST(MatrixLayer, IsTheNumberInTheName) {
  EXPECT_EQ(matrix_layer("encoder.layer.11.attention.self.query.weight"), 11);
  EXPECT_EQ(matrix_layer("pooler.dense.weight"), -1);
}

// ---- Sharing ------------------------------------------------------------------------------------

/// Every relation at k = 8 and 32, three replicates a hundredth apart.
ReportData sharing_report() {
  ReportData data;
  data.config = parse_config(
      config_text("\"full\"", "[claim.b]\ntext = \"x\"\nendpoint = \"co-drift\"\nk = 32\n"),
      "x.toml");
  const auto add = [&](const std::string& relation, const std::string& first,
                       const std::string& second, double value) {
    for (const std::int64_t k : {8, 32}) {
      for (const std::int64_t replicate : {0, 1, 2}) {
        data.co_drifts.push_back({relation, replicate, first, second, "u", "1 query", k,
                                  value + 0.01 * static_cast<double>(replicate - 1), 0, "", 0});
      }
    }
  };
  add("tasks", "rte/full/0", "sst2/full/1", 0.2);
  add("seeds", "rte/full/0", "rte/full/1", 0.4);
  add("seeds", "sst2/full/0", "sst2/full/1", 0.6);
  add("gaussian", "rte/full/0", "sst2/full/0", 0);
  return data;
}

TEST(SharingSection, HasALineAndABandForEveryRelationThatIsThere) {
  const Section section = sharing_section(sharing_report());
  ASSERT_EQ(section.blocks.size(), 3U);
  const Figure& figure = section.blocks[1].figure;
  EXPECT_EQ(figure.legend.size(), 3U);
  const Plot& plot = figure.panels.at(0);
  const auto lines = series_of(plot, Style::Line);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0]->x, ElementsAre(8, 32));
  EXPECT_NEAR(lines[0]->y[1], 0.2, 1e-12);
  EXPECT_NEAR(lines[1]->y[1], 0.5, 1e-12) << "mean of the two tasks' ceilings";
  // t(0.975, 2) = 4.302653 times 0.01 / sqrt(3)
  const auto bands = series_of(plot, Style::Band);
  ASSERT_EQ(bands.size(), 3U);
  for (const PlotSeries* band : bands) EXPECT_NEAR(band->high[0] - band->y[0], 0.0248414, 1e-6);
}

TEST(SharingSection, TheMatrixHasPairsOffAndTheCeilingOnItsDiagonal) {
  ReportData data = sharing_report();
  const auto texts_of = [](const ReportData& report) {
    std::vector<std::string> texts;
    const Figure figure = sharing_section(report).blocks.at(2).figure;
    EXPECT_EQ(figure.panels.size(), 1U) << "no runs on shuffled labels, no panel of them";
    EXPECT_THAT(figure.title, HasSubstr("k = 32"));
    for (const PlotSeries* series : series_of(figure.panels.at(0), Style::Texts)) {
      texts.insert(texts.end(), series->texts.begin(), series->texts.end());
    }
    return texts;
  };
  EXPECT_THAT(texts_of(data), ::testing::UnorderedElementsAre("0.40", "0.20", "0.20", "0.60"));
  for (ReportCoDrift& row : data.co_drifts) {
    if (row.first == "sst2/full/0" && row.k == 32) row.co_drift = -0.1;
  }
  EXPECT_THAT(texts_of(data), ::testing::UnorderedElementsAre("0.40", "0.20", "0.20", "−0.10"));
}

TEST(SharingSection, IsNotThereWithoutSharingStages) {
  EXPECT_TRUE(sharing_section(ReportData{}).blocks.empty());
}

// ---- Surgery ------------------------------------------------------------------------------------

ReportData surgery_report() {
  ReportData data;
  data.config = parse_config(config_text("\"full\"", ""), "x.toml");
  for (const std::int64_t seed : {0, 1, 2}) {
    const double shift = 0.01 * static_cast<double>(seed - 1);
    data.cuts.push_back({"rte", "full", seed, "", "nothing", 0, 0, 0.5 + shift});
    data.cuts.push_back({"rte", "full", seed, "", "everything", 0, 1, 0.9 + shift});
    for (const std::int64_t k : {8, 32}) {
      data.cuts.push_back({"rte", "full", seed, "leading", "core", k, 0.25, 0.8 + shift});
      data.cuts.push_back({"rte", "full", seed, "random", "core", k, 0.1, 0.6 + shift});
      data.cuts.push_back({"rte", "full", seed, "norm", "core", k, 0.25, 0.5 + shift});
    }
  }
  return data;
}

TEST(SurgerySection, DrawsLeadingWithItsBandRandomDashedAndNormsAsDots) {
  const Section section = surgery_section(surgery_report());
  ASSERT_EQ(section.blocks.size(), 3U);
  const Figure& figure = section.blocks[1].figure;
  ASSERT_EQ(figure.panels.size(), 1U) << "one task has cuts";
  const Plot& plot = figure.panels[0];
  EXPECT_EQ(plot.title, "rte");
  const auto lines = series_of(plot, Style::Line);
  ASSERT_EQ(lines.size(), 4U) << "nothing, everything, leading, random";
  EXPECT_NEAR(lines[0]->y[0], 50, 1e-9);
  EXPECT_NEAR(lines[1]->y[0], 90, 1e-9);
  EXPECT_TRUE(lines[0]->is_dashed && lines[1]->is_dashed && lines[3]->is_dashed);
  EXPECT_FALSE(lines[2]->is_dashed);
  EXPECT_NEAR(lines[2]->y[1], 80, 1e-9);
  EXPECT_NEAR(lines[3]->y[1], 60, 1e-9);
  EXPECT_EQ(lines[2]->color, lines[3]->color) << "one part, one colour";
  ASSERT_EQ(series_of(plot, Style::Band).size(), 1U);
  EXPECT_NEAR(series_of(plot, Style::Band)[0]->high[0], 80 + 2.48414, 1e-4);
  EXPECT_EQ(points_of(plot, Style::Points), 2U);
}

TEST(SurgerySection, SetsEnergyAgainstTheShareOfTheScore) {
  const Figure figure = surgery_section(surgery_report()).blocks.at(2).figure;
  const auto dots = series_of(figure.panels.at(0), Style::Points);
  ASSERT_EQ(dots.size(), 3U);  // norm, random, leading
  EXPECT_NEAR(dots[0]->y[0], 0, 1e-9);
  EXPECT_NEAR(dots[1]->y[0], 25, 1e-9);
  EXPECT_NEAR(dots[1]->x[0], 10, 1e-9);
  EXPECT_NEAR(dots[2]->y[0], 75, 1e-9);
  EXPECT_NEAR(dots[2]->x[0], 25, 1e-9);
  EXPECT_GT(dots[2]->width, dots[1]->width);
}

TEST(SurgerySection, ATaskWithoutAWayFromNothingToEverythingHasNoShares) {
  ReportData data = surgery_report();
  for (ReportCut& cut : data.cuts) cut.score = 0.5;
  EXPECT_EQ(surgery_section(data).blocks.size(), 2U) << "scores alone";
}

// ---- Families and the budget --------------------------------------------------------------------

constexpr const char* families =
    "[method.core-8]\nkind = \"spectral\"\nrank = 8\nfamily = \"core\"\n"
    "[method.core-32]\nkind = \"spectral\"\nrank = 32\nfamily = \"core\"\n"
    "[method.lora-1]\nkind = \"lora\"\nrank = 1\nfamily = \"lora\"\n"
    "[method.lora-8]\nkind = \"lora\"\nrank = 8\nfamily = \"lora\"\n";
constexpr const char* family_methods =
    "\"full\", \"head\", \"bitfit\", \"core-8\", \"lora-1\", \"core-32\", \"lora-8\"";

TEST(MethodColor, IsOneForAFamilyAndAnotherForEveryOther) {
  const Config config = parse_config(config_text(family_methods, families), "x.toml");
  EXPECT_EQ(method_color(config, "core-8"), method_color(config, "core-32"));
  EXPECT_EQ(method_color(config, "lora-1"), method_color(config, "lora-8"));
  std::set<int> colors;
  for (const std::string& method : config.methods) colors.insert(method_color(config, method));
  EXPECT_EQ(colors.size(), 5U) << "two families and three that stand alone";
}

TEST(MethodColor, FamiliesDifferHoweverManyMethodsStandBetweenThem) {
  std::string methods, tables;
  for (int i = 0; i < plot_palette_size; ++i) {
    const std::string alone = "alone-" + std::to_string(i), member = "member-" + std::to_string(i);
    methods += "\"" + alone + "\", \"" + member + "\", ";
    tables += "[method." + alone + "]\nkind = \"full\"\n";
    tables += "[method." + member + "]\nkind = \"full\"\nfamily = \"" + member + "\"\n";
  }
  const Config config = parse_config(config_text(methods, tables), "x.toml");
  std::set<int> colors;
  for (int i = 0; i < plot_palette_size; ++i) {
    colors.insert(method_color(config, "member-" + std::to_string(i)));
  }
  EXPECT_EQ(colors.size(), static_cast<std::size_t>(plot_palette_size));
}

TEST(GatherReport, AFamilyIsOneForEachModel) {
  Plan plan;
  plan.config = parse_config(
      "tasks = [\"mrpc\"]\nmethods = [\"full\", \"small\"]\nmodels = [\"a\", \"b\"]\n"
      "[model]\npath = \"pretrain\"\n[model.a]\n[model.b]\n[pretrain]\nsteps = 1\n"
      "[method.small]\nkind = \"lora\"\nfamily = \"lora\"\n",
      "x.toml");
  const Config config = gather_report("nowhere", plan, {}).config;
  EXPECT_EQ(config.method.at("small on a").family, "lora on a");
  EXPECT_EQ(config.method.at("full on a").family, "");
  EXPECT_NE(method_color(config, "small on a"), method_color(config, "small on b"));
}

ReportData budget_report(const std::string& tables) {
  ReportData data;
  data.config = parse_config(config_text(family_methods, tables), "x.toml");
  struct Method {
    const char* name;
    double score, share, adapted;
  };
  for (const Method& method :
       {Method{"full", 0.9, 0.99, 0}, Method{"head", 0.6, 0, 0}, Method{"bitfit", 0.8, 0.001, 0},
        Method{"core-8", 0.7, 0.0002, 0.0004}, Method{"core-32", 0.85, 0.002, 0.004},
        Method{"lora-1", 0.75, 0.0004, 0.0008}, Method{"lora-8", 0.82, 0.003, 0.006}}) {
    for (const std::int64_t seed : {0, 1, 2}) {
      for (const char* task : {"rte", "sst2"}) {
        ReportRun run;
        run.task = task;
        run.method = method.name;
        run.seed = seed;
        const bool is_better = std::string(task) == "sst2";
        run.result.metrics = {
            {"accuracy", method.score + (is_better ? 0.02 : -0.02) + 0.01 * double(seed - 1)}};
        run.result.trainable_share = method.share;
        run.result.adapted_share = method.adapted;
        data.runs.push_back(std::move(run));
      }
    }
  }
  return data;
}

TEST(BudgetFigure, JoinsAFamilyInOrderOfItsSharesOnBothAxes) {
  const ReportData data = budget_report(families);
  const Figure figure = budget_figure(data, score_table(data.config, data.runs));
  ASSERT_EQ(figure.panels.size(), 2U);
  EXPECT_EQ(figure.legend.size(), 5U) << "two families, full, head and bitfit";
  const Plot& encoder = figure.panels[0];
  std::vector<const PlotSeries*> curves;
  std::vector<double> levels;
  for (const PlotSeries* line : series_of(encoder, Style::Line)) {
    if (line->is_dashed) {
      levels.push_back(line->y[0]);
    } else {
      curves.push_back(line);
    }
  }
  ASSERT_EQ(curves.size(), 2U);
  EXPECT_THAT(curves[0]->x,
              ElementsAre(testing::DoubleNear(0.02, 1e-9), testing::DoubleNear(0.2, 1e-9)));
  EXPECT_THAT(curves[0]->y,
              ElementsAre(testing::DoubleNear(70, 1e-9), testing::DoubleNear(85, 1e-9)));
  EXPECT_EQ(curves[0]->color, method_color(data.config, "core-8"));
  EXPECT_THAT(levels, ElementsAre(testing::DoubleNear(90, 1e-9), testing::DoubleNear(60, 1e-9)));
  EXPECT_EQ(series_of(encoder, Style::Band).size(), 2U);
  EXPECT_EQ(points_of(encoder, Style::VerticalBars), 5U) << "four in families and bitfit";
  EXPECT_EQ(points_of(figure.panels[1], Style::VerticalBars), 4U) << "bitfit adapts no matrix";
  EXPECT_NEAR(series_of(figure.panels[1], Style::Line)[0]->x[0], 0.04, 1e-9);
  EXPECT_THAT(encoder.x.label, HasSubstr("embeddings"));
  EXPECT_TRUE(encoder.x.is_log);
}

TEST(BudgetFigure, HasAPanelOfEveryTask) {
  const ReportData data = budget_report(families);
  const Figure figure = budget_by_task_figure(data, score_table(data.config, data.runs));
  ASSERT_EQ(figure.panels.size(), 2U);
  EXPECT_EQ(figure.panels[1].title, "sst2");
  EXPECT_NEAR(series_of(figure.panels[1], Style::Line)[0]->y[0], 72, 1e-9);
  EXPECT_THAT(figure.panels[1].y.label, HasSubstr("accuracy"));
}

TEST(BudgetFigure, TakesAFamilyOfTwoSizes) {
  const std::string alone =
      "[method.core-8]\nkind = \"spectral\"\nrank = 8\nfamily = \"core\"\n"
      "[method.core-32]\nkind = \"spectral\"\nrank = 32\n"
      "[method.lora-1]\nkind = \"lora\"\n[method.lora-8]\nkind = \"lora\"\n";
  const ReportData data = budget_report(alone);
  const ScoreTable table = score_table(data.config, data.runs);
  EXPECT_TRUE(budget_figure(data, table).panels.empty());
  EXPECT_TRUE(budget_by_task_figure(data, table).panels.empty());
}

// ---- All of them in a page ----------------------------------------------------------------------

TEST(ReportHtml, HasEveryFigureWithItsLegendAndCaption) {
  ReportData data = budget_report(families);
  data.spectra = heat_report(2, 4.5).spectra;
  for (ReportSpectrum& one : data.spectra) one.method = "full";
  data.co_drifts = sharing_report().co_drifts;
  data.cuts = surgery_report().cuts;
  const std::string html = report_html(data);
  for (const char* part :
       {"Score against budget", "Score against budget by task", "Rotation ratio by layer and rank",
        "Co-drift against rank", "Co-drift of every pair of tasks", "What a part of the change",
        "Energy of a part", "class=\"cell c1\" style=\"opacity:1.00\"", "class=\"dot c",
        "href=\"#sharing\"", "href=\"#surgery\"", ">0.60</text>", "trained, % of the encoder"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace basis
