#pragma once

#include "data/dataset.h"

namespace compress::data {

/// A field whose samples lie one after the other in memory, as they came from a file.
struct StoredField {
  FieldInfo info;
  std::string bytes;  ///< holds the samples, perhaps behind a header
  size_t offset = 0;  ///< of the first sample
  size_t sample_bytes() const;
};

/// A data set in memory: batches are gathered by copying. All fields have `samples` samples.
DatasetPtr in_memory(int64_t samples, std::vector<StoredField> fields);

/// The samples as bytes, for StoredField::bytes.
template <class T>
std::string as_bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Whether `folder` holds the file, perhaps with ".gz" behind its name.
bool holds_data_file(const std::string& folder, const std::string& name);

/// The file, inflated when it is compressed; falls back to `name`.gz. Throws a request error when there is neither.
std::string read_data_file(const std::string& folder, const std::string& name);

/// An image and the number of its class, as most formats have them. Throws a request error unless the data set's shape
/// is [channels, height, width].
std::vector<FieldInfo> labelled_image(const DatasetInfo& info);

/// Throws a request error that names the first label outside 0 ... classes-1: file, record, label.
void check_labels(std::span<const int64_t> labels, int64_t classes, const std::string& file);

}  // namespace compress::data
