#include "core/registry.h"

#include "support/check_error.h"

#include <catch2/catch.hpp>

#include <array>

namespace compress {

namespace {

struct Shape {
  virtual ~Shape() = default;
  virtual int corners() const = 0;
};
struct Triangle final : Shape {
  int corners() const override { return 3; }
};
struct Square final : Shape {
  int corners() const override { return 4; }
};

constexpr Entry<Shape> triangle{"Triangle", "three corners", make_component<Shape, Triangle>};
constexpr Entry<Shape> square{"Square", "four corners", make_component<Shape, Square>};
constexpr std::array<const Entry<Shape>*, 2> table = {&square, &triangle};
constexpr Registry<Shape> shapes("shape", table);

}  // namespace

TEST_CASE("registry: makes what is named", "[core]") {
  REQUIRE(shapes.make("Triangle")->corners() == 3);
  REQUIRE(shapes.find("Square")->doc == "four corners");
  REQUIRE(shapes.find("Circle") == nullptr);
  REQUIRE(shapes.names() == std::vector<std::string>{"Square", "Triangle"});
}

TEST_CASE("registry: an unknown name is an error with the nearest one, or with all", "[core]") {
  test::require_error([] { shapes.make("Sqare"); }, "unknown shape 'Sqare'", "did you mean 'Square'?");
  test::require_error([] { shapes.make("Dodecahedron"); }, "unknown shape", "allowed: Square and Triangle");
}

}  // namespace compress
