#include "quant/lapq/record.h"

#include "core/error.h"
#include "core/file.h"

#include <algorithm>

namespace compress::quant {

LapqRecord::LapqRecord(const std::filesystem::path& folder, std::string origin)
    : file_(folder.empty() ? folder : folder / "lapq.json"), origin_(std::move(origin)) {
  if (file_.empty() || !std::filesystem::exists(file_)) return;
  try {
    const auto stored = nlohmann::json::parse(read_file(file_));
    if (stored.at("origin") != origin_) return;
    losses_ = stored.at("losses");
    search_ = stored.at("search");
    for (const auto& [stage, loss] : losses_.items()) loss.get<double>();
  } catch (const nlohmann::json::exception& error) {
    throw request_error("'{}' is damaged: {}", file_.string(), error.what()).hint("remove it to begin the search anew");
  }
}

double LapqRecord::loss(const std::string& stage, const std::function<double()>& measure) {
  if (const auto known = losses_.find(stage); known != losses_.end()) return known->get<double>();
  auto loss = measure();
  if (!(loss < kWorstLoss)) loss = kWorstLoss;  // NaN, infinite: JSON has no such numbers
  losses_[stage] = loss;
  write();
  return loss;
}

void LapqRecord::save(nlohmann::json search) {
  search_ = std::move(search);
  write();
}

int64_t LapqRecord::evaluations() const {
  return std::ssize(losses_) + (search_.is_null() ? 0 : std::ssize(search_.at("losses")));
}

double LapqRecord::least() const {
  auto least = search_.is_null() ? kWorstLoss : search_.at("best").at("loss").get<double>();
  for (const auto& [stage, loss] : losses_.items()) least = std::min(least, loss.get<double>());
  return least;
}

void LapqRecord::write() const {
  if (file_.empty()) return;
  write_file(file_, nlohmann::json{{"origin", origin_}, {"losses", losses_}, {"search", search_}}.dump(1) + "\n");
}

}  // namespace compress::quant
