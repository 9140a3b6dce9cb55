#include "search/search.h"

namespace compress::search {

#define ENTRY(name) extern const Entry<Search> name;
#include "search/searches.def"
#undef ENTRY

const Registry<Search>& searches() {
#define ENTRY(name) &name,
  static constexpr const Entry<Search>* kEntries[] = {
#include "search/searches.def"
  };
#undef ENTRY
  static constexpr Registry<Search> kRegistry("search", kEntries);
  return kRegistry;
}

}  // namespace compress::search
