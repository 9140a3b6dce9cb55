#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace compress::data {

/// The members of a ZIP archive in memory (.npz): stored or deflated, also ZIP64. Throws request errors that name the
/// file: no archive, cut, encrypted, another compression, a wrong checksum.
class ZipFile {
public:
  ZipFile(std::string bytes, std::string name);

  std::vector<std::string> names() const;
  /// The member's bytes, inflated and checked.
  std::string read(std::string_view name) const;

private:
  struct Member {
    std::string name;
    uint64_t flags = 0, method = 0, checksum = 0, packed = 0, size = 0, start = 0;
  };
  void read_directory();
  Member read_entry(uint64_t at) const;
  void read_extended(uint64_t at, uint64_t length, Member& member) const;
  uint64_t number(uint64_t at, uint64_t width) const;
  std::string inflate(std::string_view packed, const Member& member) const;

  std::string bytes_, name_;
  std::vector<Member> members_;
};

}  // namespace compress::data
