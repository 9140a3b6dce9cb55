#include "core/error.h"

#include "core/text.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <system_error>

namespace compress {

namespace {

constexpr size_t kMaxShown = 20;

/// Bytes that would move a terminal's cursor or colour its text become visible escapes: messages quote files and flags.
std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

/// LibTorch's messages go on with frames and advice for its developers; the first line says what happened.
std::string first_line(std::string_view text) {
  for (const auto& line : split(text, '\n'))
    if (const auto trimmed = trim(line); !trimmed.empty()) return std::string(trimmed);
  return "unknown error";
}

Error out_of_memory(std::string message) {
  return Error(Fault::run, std::move(message)).hint("lower the batch size (--set data.batch_size=...)");
}

/// The number behind `words` in a message; 0 when there is none.
double number_behind(std::string_view text, std::string_view words) {
  const auto found = text.find(words);
  return found == std::string_view::npos ? 0
                                         : std::strtod(std::string(text.substr(found + words.size())).c_str(), nullptr);
}

/// "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: ..." -> "DefaultCPUAllocator: ...".
std::string without_enforcement(const std::string& message) {
  if (!message.starts_with("[enforce fail at ")) return message;
  const auto end = message.find(". ");
  return end == std::string::npos ? message : message.substr(end + 2);
}

/// LibTorch's allocators speak of themselves; a person wants to know how much was asked for.
Error from_torch(const c10::Error& error) {
  auto message = without_enforcement(first_line(error.what_without_backtrace()));
  const auto lower = to_lower(message);
  const auto says = [&](std::string_view words) { return lower.find(words) != std::string::npos; };
  if (says("negative number") || says("size calculation overflowed") || says("storage size calculation"))
    return Error(Fault::run, "a tensor of an impossible size was asked for")
        .hint("a dimension, a kernel size or the batch size is far too large");
  if (says("can't allocate memory")) {
    const double bytes = number_behind(message, "you tried to allocate ");
    return out_of_memory(
        bytes == 0 ? message
                   : fmt::format("out of memory: {} were asked for at once", human_bytes(static_cast<int64_t>(bytes))));
  }
  if (says("out of memory")) return out_of_memory(std::move(message));
  return {Fault::run, std::move(message)};
}

Error from_filesystem(const std::filesystem::filesystem_error& error) {
  auto paths = fmt::format("'{}'", error.path1().string());
  if (!error.path2().empty()) paths += fmt::format(" -> '{}'", error.path2().string());
  return {Fault::run, fmt::format("{}: {}", paths, error.code().message())};
}

}  // namespace

std::string Place::str() const {
  auto text = file;
  if (line > 0) text += fmt::format("{}{}", text.empty() ? "line " : ":", line);
  if (line > 0 && column > 0) text += fmt::format(":{}", column);
  return text;
}

Error::Error(Fault fault, std::string message) : fault_(fault), message_(std::move(message)) {
  refresh();
}

Error& Error::at(Place place) & {
  const bool knows_more = place_.file.empty() || (place_.line == 0 && place.line > 0);
  if (knows_more) place_ = std::move(place);
  refresh();
  return *this;
}
Error&& Error::at(Place place) && {
  return std::move(at(std::move(place)));
}

Error& Error::hint(std::string text) & {
  if (!text.empty()) hints_.push_back(std::move(text));
  refresh();
  return *this;
}
Error&& Error::hint(std::string text) && {
  return std::move(hint(std::move(text)));
}

Error& Error::during(std::string text) & {
  contexts_.push_back(std::move(text));
  refresh();
  return *this;
}
Error&& Error::during(std::string text) && {
  return std::move(during(std::move(text)));
}

Error& Error::also(Error other) & {
  auto nested = std::move(other.others_);
  other.others_.clear();
  other.refresh();
  others_.push_back(std::move(other));
  for (auto& error : nested) others_.push_back(std::move(error));
  refresh();
  return *this;
}

std::string Error::render() const {
  std::string text;
  if (const auto where = place_.str(); !where.empty()) text += where + ": ";
  text += fault_ == Fault::interrupted ? message_ : "error: " + message_;
  for (const auto& context : contexts_) text += "\n  while " + context;
  for (const auto& hint : hints_) text += "\n  hint: " + hint;
  text = printable(text);
  for (size_t i = 0; i < others_.size(); ++i) {
    if (i + 1 == kMaxShown && others_.size() > kMaxShown)
      return text + fmt::format("\n... and {} more errors", others_.size() - i);
    text += '\n' + others_[i].rendered_;
  }
  return text;
}

void Error::refresh() {
  rendered_ = render();
}

Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const c10::Error& error) {
    return from_torch(error);
  } catch (const std::bad_alloc&) {
    return out_of_memory("out of memory");
  } catch (const std::filesystem::filesystem_error& error) {
    return from_filesystem(error);
  } catch (const std::exception& error) {
    return {Fault::run, first_line(error.what())};
  } catch (...) {
    return {Fault::run, "unknown error"};
  }
}

void Problems::raise() const {
  if (errors_.empty()) return;
  auto sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Error& a, const Error& b) { return a.place() < b.place(); });
  // A value that an alias repeats is read, and complained about, several times.
  const auto same = [](const Error& a, const Error& b) { return std::string_view(a.what()) == b.what(); };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  auto all = sorted.front();
  for (size_t i = 1; i < sorted.size(); ++i) all.also(sorted[i]);
  throw all;
}

}  // namespace compress
