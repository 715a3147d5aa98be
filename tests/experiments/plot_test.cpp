#include "experiments/plot.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/html.h"
#include "experiments/plot_svg.h"
#include "tensor/error.h"

namespace basis {
namespace {

using testing::HasSubstr;
using testing::Not;

Plot one_line() {
  Plot plot;
  plot.description = "a <line> & more";
  plot.x.label = "it's 50 %";
  plot.y.label = "loss";
  PlotSeries line;
  line.color = 1;
  line.x = {1, 2, 3};
  line.y = {1, 4, 9};
  plot.series = {line};
  return plot;
}

std::vector<std::string> ids_of(const std::string& svg) {
  std::vector<std::string> ids;
  for (const char quote : {'"', '\''}) {
    const std::string begin = std::string(" id=") + quote;
    for (std::size_t at = 0; (at = svg.find(begin, at)) != std::string::npos;) {
      at += begin.size();
      ids.push_back(svg.substr(at, svg.find(quote, at) - at));
    }
  }
  return ids;
}

std::string rendered(const Plot& plot) {
  return render_plots({plot}).at(0);
}

TEST(Plot, SeveralStandInOnePageBecauseNoIdIsShared) {
  const std::vector<std::string> pictures = render_plots({one_line(), one_line()});
  ASSERT_EQ(pictures.size(), 2U);
  const std::vector<std::string> first = ids_of(pictures[0]);
  ASSERT_FALSE(first.empty());
  for (const std::string& id : ids_of(pictures[1])) EXPECT_THAT(first, Not(testing::Contains(id)));
  EXPECT_EQ(pictures[0].find("href='#gp"), std::string::npos);
}

TEST(Plot, FollowsThePageInSizeFontAndColour) {
  const std::string svg = rendered(one_line());
  const std::string root = svg.substr(0, svg.find('>'));
  EXPECT_THAT(root, HasSubstr("viewBox"));
  EXPECT_THAT(root, Not(HasSubstr("width=")));
  EXPECT_THAT(svg, Not(HasSubstr("font-family")));
  EXPECT_THAT(svg, Not(HasSubstr("rgb(")));
  EXPECT_THAT(svg, Not(HasSubstr("black")));
  EXPECT_THAT(svg, HasSubstr("stroke='var(--c1)'"));
}

TEST(Plot, NeedsNothingFromElsewhere) {
  EXPECT_THAT(rendered(one_line()), Not(HasSubstr("http")));
}

TEST(Plot, DescribesItselfToWhoDoesNotSeeIt) {
  EXPECT_THAT(rendered(one_line()), HasSubstr("aria-label=\"a &lt;line&gt; &amp; more\""));
}

TEST(Plot, TextOfUsersIsNoCommandOfGnuplot) {
  Plot plot = one_line();
  plot.x.label = "x'\nset output 'elsewhere'\n`touch elsewhere` <script>";
  const std::string svg = rendered(plot);
  EXPECT_THAT(svg, HasSubstr("`touch elsewhere`"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
}

struct OddCase {
  const char* name;
  std::vector<double> x, y;
  bool is_log;
};

TEST(Plot, DrawsWhateverTheDataAre) {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const OddCase cases[] = {{"nothing", {}, {}, false},
                           {"nothing, logarithmic", {}, {}, true},
                           {"one point", {3}, {5}, false},
                           {"one point at zero", {0}, {0}, false},
                           {"no finite point", {1, 2}, {nan, inf}, false},
                           {"a hole", {1, 2, 3}, {1, nan, 2}, false},
                           {"zeros, logarithmic", {1, 2}, {0, 0}, true},
                           {"wide", {1, 2, 3}, {1e-300, 1, 1e300}, true},
                           {"narrow", {1, 2, 3}, {1, 1.0001, 1.0002}, true},
                           {"large", {1e15, 1e15 + 1}, {-1e300, 1e300}, false}};
  for (const OddCase& one : cases) {
    SCOPED_TRACE(one.name);
    Plot plot = one_line();
    plot.series[0].x = one.x;
    plot.series[0].y = one.y;
    plot.y.is_log = one.is_log;
    EXPECT_THAT(rendered(plot), HasSubstr("</svg>"));
  }
}

TEST(Plot, TicksAreRoundNumbersWithoutANegativeZero) {
  Plot plot = one_line();
  plot.x.low = 0;
  plot.series[0].x = {3, 500, 1000};
  const std::string script = gnuplot_script({plot});
  EXPECT_THAT(script, HasSubstr("set xtics ('0' 0, '200' 200, '400' 400"));
  plot.x.is_log = true;
  plot.x.low.reset();
  plot.series[0].x = {1e-4, 1, 1e4};
  EXPECT_THAT(gnuplot_script({plot}), HasSubstr("'10⁻⁴' 0.0001, '10⁻²' 0.01"));
}

TEST(Plot, DrawsACellForEveryPointWithItsTextAndNoGrid) {
  Plot plot = one_line();
  plot.has_grid = false;
  plot.series[0].style = PlotSeries::Style::Cells;
  plot.series[0].opacity = 0.5;
  PlotSeries texts = plot.series[0];
  texts.style = PlotSeries::Style::Texts;
  texts.color = plot_paper;
  texts.opacity = 1;
  texts.texts = {"0.1", "a \"b\" <c>", "\\n"};
  plot.series.push_back(texts);
  EXPECT_THAT(gnuplot_script({plot}), Not(HasSubstr("set grid")));
  EXPECT_THAT(gnuplot_script({plot}), HasSubstr("set xrange [0:4]"))
      << "the outer cells lie within";
  const std::string svg = rendered(plot);
  std::size_t cells = 0;
  for (std::size_t at = 0; (at = svg.find("fill = 'var(--c1)'", at)) != std::string::npos; ++at) {
    ++cells;
  }
  EXPECT_EQ(cells, 3U);
  EXPECT_THAT(svg, HasSubstr(">0.1</text>"));
  EXPECT_THAT(svg, HasSubstr("a b &lt;c>"));
  EXPECT_THAT(svg, HasSubstr("fill=\"var(--paper)\""));
}

TEST(Plot, VerticalBarsReachToTheirEnds) {
  Plot plot = one_line();
  plot.series[0].style = PlotSeries::Style::VerticalBars;
  plot.series[0].low = {0, 3, 8};
  plot.series[0].high = {2, 5, 19};
  EXPECT_THAT(gnuplot_script({plot}), HasSubstr("set yrange [0:20]"));
  EXPECT_THAT(rendered(plot), HasSubstr("stroke='var(--c1)'"));
}

TEST(Plot, AMissingGnuplotNamesItsPackage) {
  try {
    render_plots({one_line()}, "p", "no-such-gnuplot-here");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no-such-gnuplot-here"));
    EXPECT_THAT(error.what(), HasSubstr("gnuplot-nox"));
  }
}

TEST(Plot, AProgramThatFailsIsAnErrorWithItsStatus) {
  try {
    render_plots({one_line()}, "p", "false");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("status 1"));
  }
}

TEST(Plot, AFileWithoutSvgIsRefused) {
  EXPECT_THROW(clean_svg("<html>", "p", ""), Error);
  EXPECT_THROW(clean_svg("", "p", ""), Error);
}

TEST(Html, EscapesWhatAPageWouldReadAsMarkup) {
  EXPECT_EQ(html_escape("<a href=\"x\">&'\x01\n"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\n");
}

TEST(Html, NumbersForReaders) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(fixed_text(91.25, 1), "91.2");
  EXPECT_EQ(fixed_text(nan, 1), "—");
  EXPECT_EQ(significant_text(0.20312, 3), "0.203");
  EXPECT_EQ(significant_text(100, 3), "100");
  EXPECT_EQ(significant_text(2.5e-8, 2), "2.5e-08");
  EXPECT_EQ(grouped_text(22713216), "22\u202f713\u202f216");
  EXPECT_EQ(grouped_text(-100), "-100");
  EXPECT_EQ(duration_text(9.96), "10.0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
}

}  // namespace
}  // namespace basis
