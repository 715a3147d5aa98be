#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/html.h"
#include "experiments/report_sections.h"

namespace basis {
namespace {

std::string fact(const std::string& name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", html_escape(name), html_escape(value));
}

/// The first of these names that the machine's description has.
std::string machine_value(const ReportData& data, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    for (const auto& [key, value] : data.machine) {
      if (key == name && !value.empty()) return value;
    }
  }
  return "";
}

double seconds_of_all(const ReportData& data) {
  double seconds = 0;
  for (const auto* runs : {&data.runs, &data.pretrainings}) {
    for (const ReportRun& run : *runs) seconds += run.result.seconds;
  }
  return seconds;
}

std::string models_text(const Config& config) {
  std::vector<std::string> texts;
  for (const std::string& name : config.model_names()) {
    const ModelSettings& model = config.model_named(name);
    const PretrainSettings pretrain = config.pretrain_for(name);
    const char* const kind = pretrain.is_perceptron() ? "perceptron"
                             : pretrain.is_images()   ? "vision transformer"
                                                      : "BERT";
    const std::string what =
        model.is_pretrained_here()
            ? fmt::format("own {}, {} × {}", kind, pretrain.num_hidden_layers, pretrain.hidden_size)
            : std::filesystem::path(model.path).filename().string();
    texts.push_back(name.empty() ? what : fmt::format("{} ({})", name, what));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

bool needs_data(const Config& config) {
  const auto is_synthetic = [&](const std::string& task) { return config.makes_rows(task); };
  const std::vector<std::string> models = config.model_names();
  const auto is_file = [&](const std::string& model) {
    if (!config.model_named(model).is_pretrained_here()) return true;
    const PretrainSettings pretrain = config.pretrain_for(model);
    return pretrain.is_images() ? !config.makes_rows(pretrain.task)
                                : pretrain.corpus != "synthetic";
  };
  return std::any_of(models.begin(), models.end(), is_file) ||
         !std::all_of(config.tasks.begin(), config.tasks.end(), is_synthetic);
}

std::string list_item(const std::string& text) {
  return "<li>" + html_escape(text) + "</li>\n";
}

std::string missing_warning(const ReportData& data) {
  if (data.missing.empty() && data.remarks.empty()) return "";
  std::string html = "<div class=\"warning\"><b>This report is not complete.</b>";
  if (!data.missing.empty()) {
    html += fmt::format(" {} of {} stages are not finished; means are over those that are.",
                        data.missing.size(), data.stages);
  }
  html += "<details><summary>Which</summary><ul>\n";
  for (const std::string& label : data.missing) html += list_item(label);
  for (const std::string& remark : data.remarks) html += list_item(remark);
  return html + "</ul></details></div>\n";
}

}  // namespace

std::string report_header(const ReportData& data) {
  const Config& config = data.config;
  const std::string title = config.report.title.empty() ? config.name : config.report.title;
  std::string html = fmt::format(
      "<header>\n<p class=\"kicker\">Basis · experiment report</p>\n"
      "<h1>{}</h1>\n",
      html_escape(title));
  if (!config.question.empty()) {
    html += fmt::format("<p class=\"question\">{}</p>\n", html_escape(config.question));
  }
  html += "<dl class=\"facts\">\n";
  html += fact("Model", models_text(config));
  html += fact("Tasks × methods × seeds", fmt::format("{} × {} × {}", config.tasks.size(),
                                                      config.methods.size(), config.seeds.size()));
  html += fact("Finished stages",
               fmt::format("{} of {}", data.stages - data.missing.size(), data.stages));
  html += fact("Time of training", duration_text(seconds_of_all(data)));
  const std::string processor = machine_value(data, {"processor", "cpu", "device"});
  if (!processor.empty()) html += fact("Machine", processor);
  const std::string commit = machine_value(data, {"commit"});
  const std::string version = machine_value(data, {"version"});
  if (!version.empty()) {
    html += fact("Build", commit.empty() ? version : fmt::format("{} ({})", version, commit));
  }
  return html + "</dl>\n</header>\n" + missing_warning(data);
}

Section again_section(const ReportData& data) {
  const Config& config = data.config;
  std::string commands;
  const std::string commit = machine_value(data, {"commit"});
  if (!commit.empty() && commit.find("dirty") == std::string::npos) {
    commands += fmt::format("git checkout {}\n", commit);
  }
  commands += "cmake --preset release && cmake --build --preset release\n";
  commands += fmt::format("basis run config.toml{} --out runs/{}\n",
                          needs_data(config) ? " --data DIR" : "", config.name);
  commands +=
      fmt::format("basis report runs/{}   # this page alone, from what is finished\n", config.name);
  std::string html =
      "<p>Save the config below as <code>config.toml</code> (it is also in the run's folder)";
  html += needs_data(config)
              ? " and name the folder of data and weights by <code>--data</code>:</p>\n"
              : ":</p>\n";
  html += "<pre>" + html_escape(commands) + "</pre>\n";
  if (commit.find("dirty") != std::string::npos) {
    html +=
        "<p class=\"caption\">The sources held changes that no commit has: the numbers may not "
        "come again.</p>\n";
  }
  html += "<details><summary>Config in full, defaults included</summary>\n<pre>" +
          html_escape(to_toml(config)) + "</pre></details>\n";
  if (!data.machine.empty()) {
    html += "<details><summary>Machine and build</summary>\n<dl class=\"machine\">\n";
    for (const auto& [name, value] : data.machine) {
      html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", html_escape(name), html_escape(value));
    }
    html += "</dl></details>\n";
  }
  html +=
      "<p class=\"caption\">The same build, machine and thread count give the same bits; other "
      "ones the same numbers up to rounding.</p>\n";
  return {"again", "How to make it again", {{html, {}}}};
}

Section notes_section(const ReportData& data, const ScoreTable& table) {
  const Config& config = data.config;
  std::string items = list_item(
      "The method of “pretraining induces a reusable spectral basis” (arXiv 2605.07302) is known "
      "here by its abstract alone: its formula and its tables cannot be had. What is called "
      "spectral here, a trained core, band or diagonal between frozen singular vectors, is our "
      "parametrisation, as are the definitions of stability; agreement or disagreement with the "
      "paper is to be read with that in mind.");
  items += list_item(fmt::format(
      "The unit of replication is the run: {} seed{} a cell{}. Matrices, layers and dev rows are "
      "not counted as repetitions.",
      config.seeds.size(), config.seeds.size() == 1 ? "" : "s",
      config.seeds.size() < 3 ? ", too few for an interval" : ""));
  items += list_item(
      "Scores are of the last step on the whole of dev; no checkpoint was chosen by its score. "
      "Intervals hold the chance of the seed (initialisation of what is new, order of batches, "
      "dropout), not that of another dev set.");
  if (config.methods.size() > 1) {
    const bool is_tuned =
        std::any_of(config.methods.begin(), config.methods.end(), [&](const std::string& method) {
          return !config.method.at(method).learning_rates.empty();
        });
    items += list_item(
        is_tuned
            ? "A method's learning rate is the best of its own grid on each task, by few seeds "
              "and on rows that are neither trained on nor reported; what is not in a grid, "
              "the schedule and the number of epochs, is the same for all."
            : "Learning rates are the config's. A method whose rate was not tuned as carefully "
              "as another's looks worse than it is.");
  }
  if (!data.spectra.empty()) {
    const bool is_simulated =
        std::all_of(data.spectra.begin(), data.spectra.end(),
                    [](const ReportSpectrum& one) { return one.is_simulated; });
    items += list_item(fmt::format(
        "The control of every rotation is a Gaussian change of equal Frobenius norm ({}). It does "
        "not rule out that the spectrum alone, without any learned basis, explains stability: that "
        "needs a spectrum-preserving scramble and a rotated change, which this report does not "
        "have. Raw overlap is not shown, since it is near 1 for any small change.",
        is_simulated ? "simulated"
                     : "by its first-order formula, at most the chance of random "
                       "subspaces"));
  }
  if (!data.emergences.empty()) {
    items += list_item(
        "Emergence is measured against the end of the same run. A learning rate that falls to 0 "
        "brings the last snapshots near that end whatever they learned: read the overlaps against "
        "their control, and the early ones first.");
  }
  if (models_text(config).find("minilm") != std::string::npos) {
    items += list_item(
        "MiniLM is itself a fine-tuned model, whose training saw sentence pairs like those of QQP, "
        "QNLI and the inference tasks; of GLUE only CoLA and SST-2 are free of that.");
  }
  const auto is_drawn = [&](const std::string& task) {
    return config.task.at(task).is_images() && config.makes_rows(task);
  };
  if (std::any_of(config.tasks.begin(), config.tasks.end(), is_drawn)) {
    items += list_item(
        "The synthetic images are shapes that the program draws. They show that the machinery "
        "works "
        "and say nothing about photographs.");
  }
  const auto is_synthetic = [&](const std::string& task) {
    return config.makes_rows(task) && !is_drawn(task);
  };
  if (std::any_of(config.tasks.begin(), config.tasks.end(), is_synthetic)) {
    items += list_item(
        "The synthetic tasks are made from a small grammar. They show that the machinery works and "
        "say nothing about natural language.");
  }
  const bool is_majority_known =
      std::any_of(table.is_weak.begin(), table.is_weak.end(), [](bool weak) { return weak; });
  if (is_majority_known) {
    items += list_item("A greyed task was not learned by full fine-tuning and compares nothing.");
  }
  items += list_item("Speed, memory and time are of this machine with whatever else it did then.");
  return {"notes", "Limits", {{"<ul>\n" + items + "</ul>\n", {}}}};
}

}  // namespace basis
