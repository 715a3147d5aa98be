#include "experiments/stage_news.h"

#include <array>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/json_keys.h"

namespace basis {
namespace {

constexpr double seconds_between_progress = 0.1;
constexpr const char* key = "news";  // of every line

struct NamedOutcome {
  StageOutcome outcome;
  const char* name;
};
constexpr std::array outcomes = {
    NamedOutcome{StageOutcome::Computed, "computed"},
    NamedOutcome{StageOutcome::Reused, "reused"},
    NamedOutcome{StageOutcome::Failed, "failed"},
    NamedOutcome{StageOutcome::Skipped, "skipped"},
    NamedOutcome{StageOutcome::Busy, "busy"},
    NamedOutcome{StageOutcome::Interrupted, "interrupted"},
};

const char* name_of(StageOutcome outcome) {
  for (const NamedOutcome& one : outcomes) {
    if (one.outcome == outcome) return one.name;
  }
  throw InternalError("an outcome without a name");
}

StageOutcome outcome_named(const std::string& name) {
  for (const NamedOutcome& one : outcomes) {
    if (name == one.name) return one.outcome;
  }
  throw Error(fmt::format("no outcome \"{}\"", name));
}

struct Formatter {
  Json operator()(const Progress& progress) const {
    return Json::object({{key, "progress"},
                         {"step", progress.step},
                         {"steps", progress.steps},
                         {"loss", progress.loss},
                         {"tokens_per_s", progress.tokens_per_s}});
  }
  Json operator()(const std::string& remark) const {
    return Json::object({{key, "remark"}, {"text", remark}});
  }
  Json operator()(const StageEnd& end) const {
    return Json::object({{key, "end"},
                         {"outcome", name_of(end.outcome)},
                         {"seconds", end.result.seconds},
                         {"message", end.message},
                         {"is_internal_error", end.is_internal_error}});
  }
};

StageNews read_news(const JsonKeys& keys) {
  const std::string kind = keys.text(key);
  if (kind == "progress") {
    return Progress{keys.integer("step"), keys.integer("steps"), keys.number_or_nan("loss"),
                    keys.number("tokens_per_s")};
  }
  if (kind == "remark") return keys.text("text");
  StageEnd end{outcome_named(keys.text("outcome")),
               {},
               keys.text("message"),
               keys.boolean("is_internal_error")};
  end.result.seconds = keys.number("seconds");
  return end;
}

}  // namespace

std::string format_news(const StageNews& news) {
  return std::visit(Formatter{}, news).dump();
}

std::optional<StageNews> parse_news(const std::string& line) {
  if (!line.starts_with('{')) return std::nullopt;
  try {
    return read_news(JsonKeys(Json::parse(line, "news of a stage"), "news of a stage"));
  } catch (const Error&) {
    return std::nullopt;
  }
}

void NewsWriter::stage_progressed(const Stage&, const Progress& progress, double seconds) {
  if (told_seconds_ && seconds - *told_seconds_ < seconds_between_progress) return;
  told_seconds_ = seconds;
  write_(format_news(progress) + "\n");
}

void NewsWriter::stage_remarked(const Stage&, const std::string& remark) {
  write_(format_news(remark) + "\n");
}

void NewsWriter::write_end(const StageEnd& end) {
  write_(format_news(end) + "\n");
}

}  // namespace basis
