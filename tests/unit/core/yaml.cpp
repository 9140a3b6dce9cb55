#include "core/yaml.h"

#include <catch2/catch.hpp>

namespace compress {

TEST_CASE("yaml: a map keeps its order while keys are set, replaced and erased", "[core]") {
  auto map = Yaml::map();
  map.set("b", Yaml::scalar("1"));
  map.set("a", Yaml::scalar("2"));
  map.set("b", Yaml::scalar("3"));
  REQUIRE(map.keys == std::vector<std::string>{"b", "a"});
  REQUIRE(map.find("b")->text == "3");
  map.erase("b");
  map.erase("b");
  REQUIRE(map.find("b") == nullptr);
  REQUIRE(map.items.size() == 1);
  REQUIRE(map.key_places.size() == 1);
}

TEST_CASE("yaml: setting a key of nothing makes a map", "[core]") {
  Yaml value;
  value.set("a", Yaml::scalar("1"));
  REQUIRE(value.is_map());
  REQUIRE(Yaml::scalar("x").find("a") == nullptr);
}

TEST_CASE("yaml: kinds have names for messages", "[core]") {
  REQUIRE(Yaml{}.kind_name() == "nothing");
  REQUIRE(Yaml::scalar("x").kind_name() == "text");
  REQUIRE(Yaml::sequence().kind_name() == "a list");
  REQUIRE(Yaml::map().kind_name() == "a map");
}

TEST_CASE("yaml: an unknown key has its map's place", "[core]") {
  const auto map = parse_yaml("\n a: 1\n b: 2", "f");
  REQUIRE(map.key_place("b") == Place{"f", 3, 2});
  REQUIRE(map.key_place("c") == Place{"f", 2, 2});
}

}  // namespace compress
