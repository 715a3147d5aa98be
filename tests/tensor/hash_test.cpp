#include "tensor/hash.h"

#include <set>

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

class Hash : public TemporaryFolder {};

TEST_F(Hash, OfAFileIsWhatXxh128sumPrints) {
  write_file_atomically(path("empty"), "");
  EXPECT_EQ(hash_of_file(path("empty")), "99aa06d3014798d86001c324468d497f");
  write_file_atomically(path("abc"), "abc");
  EXPECT_EQ(hash_of_file(path("abc")), "06b05ab6733a618578af5f94892f3950");
  EXPECT_THAT(error_of([&] { hash_of_file(path("none")); }), testing::HasSubstr("no such file"));
}

TEST_F(Hash, TellsApartWhatConcatenationWouldNot) {
  const std::byte letter[] = {std::byte{'a'}};
  const std::string all[] = {
      Hasher().hex(),
      Hasher().add("").hex(),
      Hasher().add("ab").add("c").hex(),
      Hasher().add("a").add("bc").hex(),
      Hasher().add("abc").hex(),
      Hasher().add("a").hex(),
      Hasher().add(std::span<const std::byte>(letter)).hex(),
      Hasher().add("1").hex(),
      Hasher().add(1).hex(),
      Hasher().add(1.0).hex(),
      Hasher().add(true).hex(),
      Hasher().add(-1).hex(),
      Hasher().add(~std::uint64_t{0}).hex(),
  };
  EXPECT_EQ(std::set<std::string>(std::begin(all), std::end(all)).size(), std::size(all));
  for (const std::string& hex : all) EXPECT_EQ(hex.size(), 32u);
}

TEST_F(Hash, IsByValueAndStaysTheSameBetweenRuns) {
  EXPECT_EQ(Hasher().add(7).hex(), Hasher().add(std::uint64_t{7}).hex());
  EXPECT_EQ(Hasher().add(-7).hex(), Hasher().add(std::int64_t{-7}).hex());
  EXPECT_EQ(Hasher().add(std::string("x")).hex(), Hasher().add("x").hex());
  // Kept results are found by it: a change here needs a raised results version.
  EXPECT_EQ(Hasher().add("steps").add(100).add(0.1).add(true).hex(),
            "acde7a328714684984e6682fba38913e");
}

}  // namespace
}  // namespace basis
