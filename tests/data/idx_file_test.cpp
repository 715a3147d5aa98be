#include "data/idx_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/idx_bytes.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string six = {1, 2, 3, 4, 5, '\xff'};

TEST(IdxFile, ReadsSizesAndElementsPlainAndGzippedWhateverItsName) {
  const TestFolder folder;
  const std::string plain = idx_bytes({3, 1, 2}, six);
  const std::string halves = gzipped(plain.substr(0, 9)) + gzipped(plain.substr(9));
  for (const std::string& content : {plain, gzipped(plain), gzipped(plain, 0), halves}) {
    for (const char* name : {"a", "a.gz"}) {
      const IdxArray array = read_idx_file(folder.write(name, content));
      EXPECT_THAT(array.sizes, ElementsAre(3, 1, 2));
      EXPECT_THAT(array.values, ElementsAre(1, 2, 3, 4, 5, 255));
    }
  }
}

TEST(IdxFile, ReadsOneToFourAxesAndNoElements) {
  const TestFolder folder;
  EXPECT_THAT(read_idx_file(folder.write("a", idx_bytes({6}, six))).sizes, ElementsAre(6));
  EXPECT_THAT(read_idx_file(folder.write("a", idx_bytes({1, 2, 3, 1}, six))).sizes,
              ElementsAre(1, 2, 3, 1));
  const IdxArray none =
      read_idx_file(folder.write("a", idx_bytes({0, 0xffffffff, 0xffffffff}, "")));
  EXPECT_THAT(none.sizes, ElementsAre(0, 4294967295, 4294967295));
  EXPECT_TRUE(none.values.empty());
}

TEST(IdxFile, ReadsSizesThatTakeAllFourBytes) {
  const TestFolder folder;
  const std::int64_t count = 0x01020304;  // 17 MB
  const std::string plain = idx_bytes({0x01020304}, std::string(count, 'x'));
  const IdxArray array = read_idx_file(folder.write("a", gzipped(plain, 1)));
  EXPECT_THAT(array.sizes, ElementsAre(count));
  EXPECT_EQ(array.values, std::vector<std::uint8_t>(count, 'x'));
}

struct Refusal {
  const char* name;
  std::string content;
  const char* message;
};

TEST(IdxFile, SaysWhatItExpectedAndWhatIsThere) {
  const std::string plain = idx_bytes({3, 1, 2}, six);
  const std::string packed = gzipped(plain);
  std::string wrong_sum = packed;
  wrong_sum[wrong_sum.size() - 8] ^= 1;
  std::string wrong_code = gzipped(plain, 0);
  wrong_code[10] = '\xff';  // the first block's kind
  const Refusal cases[] = {
      {"empty", "", "0 bytes of its 4 bytes of idx header"},
      {"short magic", plain.substr(0, 3), "3 bytes of its 4 bytes of idx header"},
      {"a zip", "PK\3\4 and more", "begins with 50 4b 03 04, expected an idx file"},
      {"floats", idx_bytes({6}, six, 0x0d), "type 0d (32-bit floats), expected 08, unsigned bytes"},
      {"no type", idx_bytes({6}, six, 0x0a), "type 0a (no type of the format)"},
      {"no axis", idx_bytes({}, six), "0 axes, expected 1 to 4"},
      {"five axes", idx_bytes({1, 1, 1, 1, 6}, six), "5 axes, expected 1 to 4"},
      {"short sizes", plain.substr(0, 15), "11 bytes of its 12 bytes of sizes are there"},
      {"short", plain.substr(0, 21), "says 3 x 1 x 2, 6 bytes of elements; the file has 5"},
      {"long", plain + "x", "says 3 x 1 x 2, 6 bytes of elements; the file has 7"},
      {"large", idx_bytes({1u << 16, 1u << 15}, six), "65536 x 32768, at most 2147483647 bytes"},
      // 2^64 elements are 0 modulo 2^64.
      {"overflow", idx_bytes({1u << 31, 1u << 31, 4}, six), "2147483648 x 2147483648 x 4, at most"},
      {"gzipped large", gzipped(idx_bytes({1u << 31, 2}, six)), "2147483648 x 2, at most"},
      {"more than gzip can hold", gzipped(idx_bytes({1u << 30}, six)), "gzipped bytes cannot hold"},
      {"gzipped short", gzipped(plain.substr(0, 21)), "5 bytes of its 6 bytes of elements"},
      {"gzipped long", gzipped(plain + "x"), "more elements than its header says"},
      {"bomb", gzipped(plain + std::string(10'000'000, '\0')),
       "more elements than its header says"},
      {"cut gzip", packed.substr(0, packed.size() - 9), "gzip stream does not end here"},
      {"cut checksum", packed.substr(0, packed.size() - 1), "gzip stream does not end here"},
      {"gzip and nothing", packed.substr(0, 2), "gzip stream does not end here"},
      {"bytes behind", packed + "xyz", "3 bytes behind the end of its gzip stream"},
      {"wrong checksum", wrong_sum, "damaged, zlib says: incorrect data check"},
      {"wrong code", wrong_code, "damaged, zlib says: invalid block type"},
  };
  const TestFolder folder;
  for (const Refusal& one : cases) {
    SCOPED_TRACE(one.name);
    const auto path = folder.write("images", one.content);
    EXPECT_THAT(error_of([&] { read_idx_file(path); }),
                AllOf(HasSubstr(path.string()), HasSubstr(one.message)));
  }
  EXPECT_THAT(error_of([&] { read_idx_file(folder.path("none")); }),
              AllOf(HasSubstr(folder.path("none").string()), HasSubstr("no such file")));
}

}  // namespace
}  // namespace basis
