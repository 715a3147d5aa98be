#include "experiments/report.h"

#include "tensor/file.h"

namespace basis {

StageResult run_report(StageContext& stage) {
  const std::filesystem::path& run_folder = stage.store.run_folder();
  const ReportData data = gather_report(run_folder, stage.plan, stage.inputs);
  write_file_atomically(run_folder / "report.html", report_html(data));
  return {};
}

std::filesystem::path write_report(const std::filesystem::path& run_folder) {
  const std::filesystem::path path = run_folder / "report.html";
  write_file_atomically(path, report_html(gather_report(run_folder)));
  return path;
}

}  // namespace basis
