#pragma once

#include "data/npy.h"

#include <map>
#include <string>
#include <vector>

namespace compress::data {

/// An array that a folder or .npz file holds, not read yet.
struct ArraySource {
  std::string split;   ///< "train", "test", or "" when its name says neither
  std::string name;    ///< without the word of the split, in lower case
  std::string file;    ///< .npy or .npz
  std::string member;  ///< of a .npz
  std::string str() const { return member.empty() ? file : file + ":" + member; }
};

/// All arrays at `place`: an .npz file, or a folder with .npy and .npz files, also in folders in it. The words train,
/// training, test, testing, val, valid and validation in a name (x_train.npy, test/images.npy) choose the split; the
/// last three mean "test" where nothing else does, and are left out otherwise. Throws a request error when there is
/// none.
std::vector<ArraySource> find_arrays(const std::string& place);

/// Reads one of them; throws a request error naming it.
NpyArray read_array(const ArraySource& source);

/// What arrays are to be: names of fields -> names of arrays, and the numbers' types where another is wanted.
struct ArrayRules {
  std::map<std::string, std::string> fields;
  std::map<std::string, std::string> types;  ///< uint8, int64 or float32
  enum class Layout { automatic, channels_first, channels_last } layout = Layout::automatic;
};

/// A field of all samples.
struct ArrayField {
  FieldInfo info;
  at::Tensor values;
  std::string source;  ///< for messages
};
/// Names, types and axes as the data sets of this project have them: uint8 images [samples, channels, height, width],
/// integer labels [samples], ... Throws a request error when names clash, or a name of the rules is not there.
std::vector<ArrayField> fields_of(const std::vector<ArraySource>& sources, const ArrayRules& rules);

}  // namespace compress::data
