#include "tensor/safetensors.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "tensor/file.h"
#include "tensor/safetensors_convert.h"
#include "tests/tensor/file_fixture.h"
#include "tests/tensor/safetensors_text.h"

namespace basis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::filesystem::path test_file(const std::string& name) {
  return std::filesystem::path(BASIS_TEST_FILES) / name;
}

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  const T* begin = tensor.data<T>();
  return {begin, begin + tensor.element_count()};
}

template <class T>
Tensor tensor_of(const std::vector<T>& values, const Shape& shape) {
  auto owner = std::make_shared<std::vector<T>>(values);
  owner->reserve(1);
  auto* bytes = reinterpret_cast<std::byte*>(owner->data());
  return Tensor(Block(owner, bytes), bytes, shape, DTypeOf<T>::value, DeviceKind::Cpu);
}

class SafeTensorsFile : public TemporaryFolder {};

TEST_F(SafeTensorsFile, ReadsWhatTheReferenceLibraryWrote) {
  const SafeTensors file = SafeTensors::open(test_file("safetensors_held.safetensors"));
  EXPECT_EQ(file.names().size(), 7u);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(file.shape("float"), (Shape{2, 3}));
  EXPECT_EQ(file.stored_dtype("bfloat"), "BF16");
  EXPECT_EQ(file.stored_bytes("bfloat"), 8u);
  EXPECT_THAT(values_of<double>(file.tensor("double")), ElementsAre(0.1, -2.5, 1e300));
  EXPECT_THAT(values_of<float>(file.tensor("float")),
              ElementsAre(0.f, 1.f / 7, 2.f / 7, 3.f / 7, 4.f / 7, 5.f / 7));
  EXPECT_THAT(values_of<std::int32_t>(file.tensor("int")), ElementsAre(INT32_MIN, INT32_MAX));
  EXPECT_EQ(file.tensor("scalar").shape(), Shape{});
  EXPECT_EQ(values_of<float>(file.tensor("scalar"))[0], 1.5f);
  EXPECT_THAT(values_of<float>(file.tensor("bfloat", DType::F32)),
              ElementsAre(1.f, -0.f, INFINITY, 3.140625f));
  EXPECT_THAT(values_of<std::uint8_t>(file.tensor("a \"ü\"\n")), ElementsAre(0, 255, 7));
  EXPECT_EQ(file.tensor("none").shape(), (Shape{0, 4}));
  EXPECT_TRUE(file.contains("int"));
  EXPECT_FALSE(file.contains("__metadata__"));
}

TEST_F(SafeTensorsFile, WritesTheBytesOfTheReferenceLibrary) {
  const auto source = test_file("safetensors_held.safetensors");
  const SafeTensors file = SafeTensors::open(source);
  std::vector<std::pair<std::string, Tensor>> tensors;
  // An empty tensor shares its place with the next; the library puts it first in this file.
  for (const std::string& name : file.names()) tensors.emplace_back(name, file.tensor(name));
  write_safetensors(path("copy"), tensors, file.metadata());
  EXPECT_EQ(read_file(path("copy")), read_file(source));
}

TEST_F(SafeTensorsFile, ConvertsWhatATensorDoesNotHold) {
  const SafeTensors file = SafeTensors::open(test_file("safetensors_converted.safetensors"));
  const std::vector<float> half = values_of<float>(file.tensor("half"));
  EXPECT_THAT(std::span(half).first(6),
              ElementsAre(1.f, -0.f, 0x1p-24f, 65504.f, INFINITY, -INFINITY));
  EXPECT_TRUE(std::signbit(half[1]));
  EXPECT_TRUE(std::isnan(half[6]));
  EXPECT_THAT(values_of<std::int32_t>(file.tensor("long")), ElementsAre(0, 1, -5, INT32_MAX));
  EXPECT_THAT(values_of<double>(file.tensor("longer", DType::F64)), ElementsAre(1, 2147483648.0));
}

TEST_F(SafeTensorsFile, RefusesATensorThatCannotBeReadButNotItsNeighbours) {
  const SafeTensors file = SafeTensors::open(test_file("safetensors_converted.safetensors"));
  const auto message = [&](const char* name, DType wanted) {
    return error_of([&] { file.tensor(name, wanted); });
  };
  EXPECT_THAT(message("longer", DType::I32), AllOf(HasSubstr("\"longer\": element 1 is beyond i32"),
                                                   HasSubstr("safetensors_converted")));
  EXPECT_THAT(message("long", DType::U8), HasSubstr("element 2 is beyond u8"));
  EXPECT_THAT(message("half", DType::I32), HasSubstr("stored as F16, which is not read as i32"));
  EXPECT_THAT(message("bool", DType::U8), HasSubstr("stored as BOOL"));
  EXPECT_THAT(error_of([&] { file.tensor("bool"); }), HasSubstr("stored as BOOL"));
  EXPECT_THAT(message("five", DType::F32), HasSubstr("has 5 axes (1, 1, 1, 1, 2)"));
  EXPECT_THAT(message("six", DType::F32), HasSubstr("no tensor \"six\" among its 5"));
}

TEST_F(SafeTensorsFile, AlignedTensorsShareTheMappedFileAndOutliveItsHandle) {
  write_safetensors(path("a"), {{"x", tensor_of<float>({1, 2}, {2})}}, {});
  Tensor first;
  Tensor second;
  {
    const SafeTensors file = SafeTensors::open(path("a"));
    first = file.tensor("x");
    second = file.tensor("x", DType::F32);
  }
  EXPECT_EQ(first.bytes_begin(), second.bytes_begin());
  first.data<float>()[0] = 5;
  EXPECT_THAT(values_of<float>(second), ElementsAre(5, 2));
  EXPECT_THAT(values_of<float>(SafeTensors::open(path("a")).tensor("x")), ElementsAre(1, 2));
}

TEST_F(SafeTensorsFile, CopiesAnUnalignedTensor) {
  write_safetensors(
      path("a"),
      {{"byte", tensor_of<std::uint8_t>({9}, {1})}, {"x", tensor_of<double>({1.5, -2}, {2})}}, {});
  const SafeTensors file = SafeTensors::open(path("a"));
  const Tensor x = file.tensor("x");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.bytes_begin()) % 8, 0u);
  EXPECT_THAT(values_of<double>(x), ElementsAre(1.5, -2));
  EXPECT_THAT(values_of<float>(file.tensor("x", DType::F32)), ElementsAre(1.5f, -2.f));
  EXPECT_THAT(file.names(), ElementsAre("byte", "x"));
}

TEST_F(SafeTensorsFile, WritesNothingWhenItRefuses) {
  const Tensor one = tensor_of<float>({1}, {1});
  const auto message = [&](const std::string& first, const std::string& second) {
    return error_of([&] { write_safetensors(path("a"), {{first, one}, {second, one}}, {}); });
  };
  EXPECT_THAT(message("x", "x"), HasSubstr("two tensors named \"x\""));
  EXPECT_THAT(message("x", "__metadata__"), HasSubstr("__metadata__"));
  EXPECT_THAT(message("x", "\xff"), HasSubstr("not UTF-8"));
  EXPECT_THAT(error_of([&] { write_safetensors(path("none/a"), {}, {}); }),
              HasSubstr("no such file or folder"));
  EXPECT_TRUE(names().empty());
}

TEST_F(SafeTensorsFile, AFileOfNoTensorsIsFine) {
  write_safetensors(path("a"), {}, {});
  EXPECT_TRUE(SafeTensors::open(path("a")).names().empty());
}

TEST_F(SafeTensorsFile, OpensARealModelWithoutReadingItsTensors) {
  const auto model = real_data("weights/minilm-l6-h384-uncased/model.safetensors");
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "set BASIS_DATA; no " << model;
  const SafeTensors file = SafeTensors::open(model);
  EXPECT_EQ(file.names().size(), 104u);
  EXPECT_EQ(file.shape("embeddings.word_embeddings.weight"), (Shape{30522, 384}));
  const Tensor ids = file.tensor("embeddings.position_ids");  // I64 in the file
  EXPECT_EQ(ids.shape(), (Shape{1, 512}));
  EXPECT_EQ(ids.data<std::int32_t>()[511], 511);
}

struct BadFile {
  const char* name;
  std::string text;
  const char* reason;
};

/// `{"x": {"dtype": "F32", "shape": SHAPE, "data_offsets": OFFSETS}}` and so many bytes.
std::string one_tensor(const std::string& shape, const std::string& offsets, std::size_t bytes,
                       const std::string& dtype = "\"F32\"") {
  return safetensors_text(R"({"x": {"dtype": )" + dtype + R"(, "shape": )" + shape +
                              R"(, "data_offsets": )" + offsets + "}}",
                          bytes);
}

/// Two tensors of 8 bytes at these offsets.
std::string two_tensors(const std::string& a, const std::string& b, std::size_t bytes) {
  return safetensors_text(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": )" + a +
                              R"(}, "b": {"dtype": "F32", "shape": [2], "data_offsets": )" + b +
                              "}}",
                          bytes);
}

std::string announced(std::uint64_t length, const std::string& rest) {
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + rest;
}

const BadFile bad_files[] = {
    {"Empty", "", "the file is empty"},
    {"FewerThanEightBytes", "abc", "3 bytes are too few"},
    {"HeaderLongerThanTheFile", announced(100, "{}"), "header of 100 bytes is announced, 2 bytes"},
    {"HeaderLengthOverflowing", announced(~std::uint64_t{0}, "{}"), "2 bytes follow"},
    {"HeaderOfNoBytes", announced(0, ""), "does not begin with"},
    {"HeaderThatIsAList", safetensors_text("[]", 0), "does not begin with"},
    {"HeaderCut", safetensors_text("{\"x\": {", 0), "(header):1: "},
    {"HeaderNotUtf8", safetensors_text("{\"\xff\": 1}", 0), "ill-formed UTF-8"},
    {"NestedWithoutEnd", safetensors_text("{\"x\": " + std::string(100000, '['), 0),
     "nested deeper"},
    {"DuplicateNames",
     safetensors_text(R"({"x": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
               "x": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})",
                      0),
     "(header):2: duplicate key \"x\""},
    {"TensorThatIsANumber", safetensors_text("{\"x\": 1}", 0),
     "\"x\": its description is not an object"},
    {"NoDtype", safetensors_text(R"({"x": {"shape": [0], "data_offsets": [0, 0]}})", 0),
     "no \"dtype\""},
    {"NoShape", safetensors_text(R"({"x": {"dtype": "F32", "data_offsets": [0, 0]}})", 0),
     "no \"shape\""},
    {"NoOffsets", safetensors_text(R"({"x": {"dtype": "F32", "shape": [0]}})", 0),
     "no \"data_offsets\""},
    {"DtypeUnknown", one_tensor("[1]", "[0, 4]", 4, "\"F33\""), "unknown dtype \"F33\""},
    {"DtypeThatIsANumber", one_tensor("[1]", "[0, 4]", 4, "32"), "no \"dtype\""},
    {"DtypeOfAnotherSize", one_tensor("[1]", "[0, 4]", 4, "\"F16\""), "F16 (1) does not fit"},
    {"ShapeThatDoesNotFit", one_tensor("[2, 3]", "[0, 20]", 20), "F32 (2, 3) does not fit its 20"},
    {"ShapeNegative", one_tensor("[-1]", "[0, 4]", 4), "\"shape\" is not a list of whole numbers"},
    {"ShapeFractional", one_tensor("[1.0]", "[0, 4]", 4), "\"shape\" is not a list"},
    {"ShapeThatIsANumber", one_tensor("1", "[0, 4]", 4), "\"shape\" is not a list"},
    // 2^62 * 4 elements and 2^62 floats of 4 bytes are both 0 modulo 2^64.
    {"ShapeOverflowing", one_tensor("[4611686018427387904, 4]", "[0, 0]", 0), "does not fit its 0"},
    {"ShapeOverflowingInBytes", one_tensor("[4611686018427387904]", "[0, 0]", 0),
     "does not fit its 0"},
    {"ShapeOverflowingBeforeAZero",
     one_tensor("[4611686018427387904, 4611686018427387904, 0]", "[0, 0]", 0), "does not fit"},
    {"ShapeBeyond64Bits", one_tensor("[18446744073709551616]", "[0, 0]", 0),
     "\"shape\" is not a list"},
    {"OffsetsNegative", one_tensor("[1]", "[-4, 0]", 4), "\"data_offsets\" is not a list"},
    {"OffsetsOverflowing", one_tensor("[1]", "[18446744073709551612, 18446744073709551616]", 4),
     "\"data_offsets\" is not a list"},
    {"OffsetsReversed", one_tensor("[1]", "[4, 0]", 4), "not [begin, end]"},
    {"OffsetsOfThree", one_tensor("[1]", "[0, 4, 8]", 4), "not [begin, end]"},
    {"OffsetsFarBehindTheFile", one_tensor("[1]", "[9223372036854775800, 9223372036854775804]", 4),
     "leaving a gap"},
    {"Overlapping", two_tensors("[0, 8]", "[4, 12]", 12),
     "\"b\" begins at byte 4 of the data, overlapping the one that ends at byte 8"},
    {"Twice", two_tensors("[0, 8]", "[0, 8]", 8), "overlapping"},
    {"Gap", two_tensors("[0, 8]", "[12, 20]", 20), "leaving a gap behind byte 8"},
    {"GapAtTheBeginning", one_tensor("[1]", "[4, 8]", 8), "leaving a gap behind byte 0"},
    {"Cut", two_tensors("[0, 8]", "[8, 16]", 15), "cut: its tensors need 16 bytes of data, 15 are"},
    {"TrailingBytes", two_tensors("[0, 8]", "[8, 16]", 17), "1 bytes follow the last tensor"},
    {"MetadataThatIsANumber", safetensors_text("{\"__metadata__\": 1}", 0),
     "__metadata__ is not an obj"},
    {"MetadataOfNumbers", safetensors_text("{\"__metadata__\": {\"epoch\": 1}}", 0),
     "__metadata__ \"epoch\" is not a string"},
};

class BadSafeTensors : public TemporaryFolder, public testing::WithParamInterface<BadFile> {};

TEST_P(BadSafeTensors, IsRefusedWithThePathAndTheReason) {
  write_file_atomically(path("bad.safetensors"), GetParam().text);
  EXPECT_THAT(
      error_of([&] { SafeTensors::open(path("bad.safetensors")); }),
      AllOf(testing::StartsWith(path("bad.safetensors").string()), HasSubstr(GetParam().reason)));
}

INSTANTIATE_TEST_SUITE_P(Each, BadSafeTensors, testing::ValuesIn(bad_files),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_F(SafeTensorsFile, OpensTheFilesThatTheBadOnesDifferFrom) {
  for (const std::string& text :
       {one_tensor("[1]", "[0, 4]", 4), one_tensor("[0]", "[0, 0]", 0),
        safetensors_text("{}   ", 0), two_tensors("[8, 16]", "[0, 8]", 16),
        one_tensor("[2]", "[0, 1]", 1, "\"F4\"")}) {
    write_file_atomically(path("good"), text);
    EXPECT_EQ(error_of([&] { SafeTensors::open(path("good")); }), "");
  }
}

TEST_F(SafeTensorsFile, RefusesAnAnnouncedHeaderBeyondTheFormatsLimit) {
  {
    AtomicFile file(path("long"));
    file.write(announced(100'000'001, "{}"));
    file.commit();
  }
  std::filesystem::resize_file(path("long"), 100'000'009);  // a hole, no bytes on disk
  EXPECT_THAT(error_of([&] { SafeTensors::open(path("long")); }),
              HasSubstr("100000000 are allowed"));
}

TEST(Conversion, HalfIsExactForAllBits) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const float fraction = static_cast<float>(bits & 1023);
    const float value = detail::float_from_half(static_cast<std::uint16_t>(bits));
    EXPECT_EQ(std::signbit(value), bits >> 15 != 0);
    if (exponent == 31) {
      EXPECT_TRUE(fraction == 0 ? std::isinf(value) : std::isnan(value)) << bits;
    } else {
      const float magnitude =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      EXPECT_EQ(std::fabs(value), magnitude) << bits;
    }
  }
}

TEST(Conversion, BFloat16SurvivesTheWayThroughFloatForAllBits) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const BFloat16 value{static_cast<std::uint16_t>(bits)};
    const float wide = detail::float_from_bfloat16(value);
    const std::uint16_t back = detail::bfloat16_from_float(wide).bits;
    // A signalling NaN comes back quiet.
    EXPECT_EQ(back, std::isnan(wide) ? (bits | 0x40u) : bits);
    EXPECT_EQ(detail::bfloat16_from_double(static_cast<double>(wide)).bits, back) << bits;
  }
}

TEST(Conversion, FloatToBFloat16RoundsToTheNearestEven) {
  const struct {
    double value;
    std::uint16_t bits;
  } cases[] = {
      {1.0, 0x3f80},
      {1.0 + 0x1p-8, 0x3f80},            // tie, down to even
      {1.0 + 0x1p-8 + 0x1p-20, 0x3f81},  // just above the tie
      {1.0 + 0x3p-8, 0x3f82},            // tie, up to even
      {-(1.0 + 0x3p-8), 0xbf82},
      {0x1p-133, 0x0001},               // the smallest subnormal
      {0x1p-134, 0x0000},               // tie, down to zero
      {0x1.8p-133, 0x0002},             // tie, up
      {3.3895313892515355e38, 0x7f7f},  // the largest
      {std::numeric_limits<float>::max(), 0x7f80},
      {INFINITY, 0x7f80},
      {-INFINITY, 0xff80},
      {-0.0, 0x8000},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(detail::bfloat16_from_float(static_cast<float>(each.value)).bits, each.bits)
        << each.value;
    EXPECT_EQ(detail::bfloat16_from_double(each.value).bits, each.bits) << each.value;
  }
  EXPECT_TRUE(std::isnan(detail::float_from_bfloat16(detail::bfloat16_from_float(NAN))));
  // A NaN whose payload lies in the cut bits only must not become an infinity.
  const float low = std::bit_cast<float>(0x7f800001u);
  EXPECT_TRUE(std::isnan(detail::float_from_bfloat16(detail::bfloat16_from_float(low))));
}

TEST(Conversion, DoubleToBFloat16RoundsOnce) {
  // As a float this is the tie 1 + 2^-8, which would go down.
  EXPECT_EQ(detail::bfloat16_from_double(1.0 + 0x1p-8 + 0x1p-40).bits, 0x3f81);
  EXPECT_EQ(detail::bfloat16_from_double(1.0 + 0x3p-8 - 0x1p-40).bits, 0x3f81);
  EXPECT_EQ(detail::bfloat16_from_double(1e300).bits, 0x7f80);
  EXPECT_EQ(detail::bfloat16_from_double(-1e-300).bits, 0x8000);
}

}  // namespace
}  // namespace basis
