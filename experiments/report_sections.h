#pragma once

#include <string>
#include <vector>

#include "experiments/report_figures.h"

namespace basis {

/// A part of a page: HTML, then perhaps a figure.
struct ReportBlock {
  std::string html;
  Figure figure;
};

/// Without blocks there is no such section.
struct Section {
  std::string id;  // of its anchor
  std::string title;
  std::vector<ReportBlock> blocks;
};

/// Title, question, what was run, and what is missing.
std::string report_header(const ReportData& data);

/// The answers to the config's claims, first of all.
Section claims_section(const ReportData& data);
Section scores_section(const ReportData& data, const ScoreTable& table);
Section costs_section(const ReportData& data);
Section pretraining_section(const ReportData& data, const ScoreTable& table);
/// When the final singular basis emerged in pretraining, and what text uses of it.
Section emergence_section(const ReportData& data);
Section curves_section(const ReportData& data, const ScoreTable& table);
Section spectra_section(const ReportData& data);
Section sharing_section(const ReportData& data);
Section surgery_section(const ReportData& data);
Section landscape_section(const ReportData& data);
Section robustness_section(const ReportData& data);
/// Trainings that differ in their seeds alone: basin, norm and score, and what another task leaves.
Section basins_section(const ReportData& data);
/// Commands, config, machine and build.
Section again_section(const ReportData& data);
/// What the numbers cannot say.
Section notes_section(const ReportData& data, const ScoreTable& table);

}  // namespace basis
