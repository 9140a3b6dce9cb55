#include "data/zip_file.h"

#include "core/error.h"
#include "core/text.h"
#include "core/zlib_header.h"

#include <algorithm>
#include <new>

// The central directory at the end says what there is
// (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3).
namespace compress::data {

namespace {

constexpr uint64_t kEndSize = 22, kMostComment = 65535, kEntrySize = 46, kLocalSize = 30;
constexpr std::string_view kEndMark("PK\5\6", 4), kEnd64Mark("PK\6\6", 4), kLocator64Mark("PK\6\7", 4);
constexpr std::string_view kEntryMark("PK\1\2", 4);
constexpr uint64_t kIn64 = 0xffffffff;  // the number stands in the ZIP64 record
constexpr uint64_t kMostExpansion = 1032;

Error damaged_zip(const std::string& name, std::string_view why) {
  return request_error("'{}' is no readable .npz (ZIP) file: {}", name, why);
}

}  // namespace

ZipFile::ZipFile(std::string bytes, std::string name) : bytes_(std::move(bytes)), name_(std::move(name)) {
  read_directory();
}

uint64_t ZipFile::number(uint64_t at, uint64_t width) const {
  if (at > bytes_.size() || bytes_.size() - at < width) throw damaged_zip(name_, "it is cut");
  uint64_t value = 0;
  for (uint64_t i = 0; i < width; ++i) value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes_[at + i])) << 8 * i;
  return value;
}

void ZipFile::read_directory() {
  const std::string_view all = bytes_;
  const size_t from = all.size() > kEndSize + kMostComment ? all.size() - kEndSize - kMostComment : 0;
  const size_t end = all.substr(from).rfind(kEndMark);
  if (end == std::string_view::npos) throw damaged_zip(name_, "it has no directory (is it cut?)");
  const uint64_t record = from + end;
  uint64_t count = number(record + 10, 2), at = number(record + 16, 4);
  if (record >= 20 && all.substr(record - 20).starts_with(kLocator64Mark)) {
    const uint64_t record64 = number(record - 12, 8);
    if (record64 > all.size() || !all.substr(record64).starts_with(kEnd64Mark))
      throw damaged_zip(name_, "its ZIP64 record is missing");
    count = number(record64 + 32, 8);
    at = number(record64 + 48, 8);
  }
  for (uint64_t i = 0; i < count; ++i) {
    members_.push_back(read_entry(at));
    at += kEntrySize + number(at + 28, 2) + number(at + 30, 2) + number(at + 32, 2);
  }
}

ZipFile::Member ZipFile::read_entry(uint64_t at) const {
  if (at > bytes_.size() || !std::string_view(bytes_).substr(at).starts_with(kEntryMark))
    throw damaged_zip(name_, "its directory is damaged");
  const uint64_t name_length = number(at + 28, 2), extra_length = number(at + 30, 2);
  Member member{.flags = number(at + 8, 2),
                .method = number(at + 10, 2),
                .checksum = number(at + 16, 4),
                .packed = number(at + 20, 4),
                .size = number(at + 24, 4),
                .start = number(at + 42, 4)};
  number(at + kEntrySize, name_length + extra_length == 0 ? 0 : 1);
  if (bytes_.size() - at - kEntrySize < name_length + extra_length) throw damaged_zip(name_, "it is cut");
  member.name = bytes_.substr(at + kEntrySize, name_length);
  read_extended(at + kEntrySize + name_length, extra_length, member);
  return member;
}

/// Numbers that need 64 bits stand in an extra field, those that need them only, in this order.
void ZipFile::read_extended(uint64_t at, uint64_t length, Member& member) const {
  const uint64_t end = at + length;
  while (at + 4 <= end) {
    const uint64_t kind = number(at, 2), size = number(at + 2, 2);
    at += 4;
    if (kind == 1) {
      uint64_t place = at;
      for (uint64_t* value : {&member.size, &member.packed, &member.start})
        if (*value == kIn64) {
          *value = number(place, 8);
          place += 8;
        }
    }
    at += size;
  }
}

std::vector<std::string> ZipFile::names() const {
  std::vector<std::string> names;
  for (const auto& member : members_) names.push_back(member.name);
  return names;
}

std::string ZipFile::read(std::string_view name) const {
  const auto found = std::ranges::find(members_, name, &Member::name);
  if (found == members_.end())
    throw request_error("'{}' has no member '{}'", name_, name).hint(did_you_mean(name, names()));
  const auto& member = *found;
  const auto fail = [&](std::string_view why) {
    return request_error("'{}': the member '{}' is not readable: {}", name_, member.name, why);
  };
  if (member.flags & 1) throw fail("it is encrypted");
  if (member.method != 0 && member.method != 8)
    throw fail(fmt::format("compression method {} is not known", member.method));
  if (number(member.start, 4) != 0x04034b50) throw fail("its header is missing");
  const uint64_t start = member.start + kLocalSize + number(member.start + 26, 2) + number(member.start + 28, 2);
  if (start > bytes_.size() || bytes_.size() - start < member.packed) throw fail("the file is cut");
  const auto packed = std::string_view(bytes_).substr(start, member.packed);
  if (member.method == 0 && member.size != member.packed) throw fail("its size is wrong");
  if (member.method == 8 && member.size / kMostExpansion > member.packed + 1)
    throw fail("it claims an impossible size");
  auto content = member.method == 0 ? std::string(packed) : inflate(packed, member);
  if (crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()) != member.checksum)
    throw fail("its checksum is wrong");
  return content;
}

std::string ZipFile::inflate(std::string_view packed, const Member& member) const {
  constexpr uint64_t kMost = 1 << 30;  // zlib counts in 32 bits
  std::string out(member.size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  uint64_t in_done = 0, out_done = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const auto in = static_cast<uInt>(std::min<uint64_t>(kMost, packed.size() - in_done));
    const auto room = static_cast<uInt>(std::min<uint64_t>(kMost, out.size() - out_done));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + in_done));
    stream.avail_in = in;
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + out_done);
    stream.avail_out = room;
    status = ::inflate(&stream, Z_NO_FLUSH);
    in_done += in - stream.avail_in;
    out_done += room - stream.avail_out;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || out_done != out.size())
    throw request_error("'{}': the member '{}' is not readable: its compressed data are damaged", name_, member.name);
  return out;
}

}  // namespace compress::data
