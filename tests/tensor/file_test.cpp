#include "tensor/file.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/error.h"
#include "tensor/mapped_file.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;

class File : public TemporaryFolder {};

TEST_F(File, ReadsWhatWasWritten) {
  // Around the writer's buffer of 64 KiB, zeros and newlines included.
  for (std::size_t size : {0, 1, 65535, 65536, 65537, 300000}) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 131 >> 3);
    write_file_atomically(path("a"), content);
    EXPECT_EQ(read_file(path("a")), content) << size;
  }
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(File, ReadsAFileWhoseSizeIsNotKnownBefore) {
  EXPECT_THAT(read_file("/proc/self/status"), HasSubstr("VmPeak"));
}

TEST_F(File, SaysWhyItCannotRead) {
  EXPECT_THAT(error_of([&] { read_file(path("none")); }),
              AllOf(HasSubstr(path("none").string()), HasSubstr("no such file")));
  EXPECT_THAT(error_of([&] { read_file(folder()); }), HasSubstr("it is a folder"));
  EXPECT_THAT(error_of([&] { read_file("/dev/zero"); }), HasSubstr("not a regular file"));
  write_file_atomically(path("secret"), "x");
  ::chmod(path("secret").c_str(), 0);
  if (::geteuid() != 0) {
    EXPECT_THAT(error_of([&] { read_file(path("secret")); }), HasSubstr("permission denied"));
  }
}

TEST_F(File, ReplacesAFileOnlyOnCommit) {
  write_file_atomically(path("a"), "old");
  {
    AtomicFile file(path("a"));
    file.write("ne");
    file.write("w");
    EXPECT_EQ(read_file(path("a")), "old");
    EXPECT_EQ(names().size(), 2u);
  }
  EXPECT_EQ(read_file(path("a")), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
  AtomicFile file(path("a"));
  file.write("new");
  file.commit();
  EXPECT_EQ(read_file(path("a")), "new");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(File, SaysWhyItCannotWriteAndLeavesNothing) {
  std::filesystem::create_directory(path("sub"));
  EXPECT_THAT(error_of([&] { write_file_atomically(path("sub"), "x"); }), HasSubstr("a folder"));
  EXPECT_THAT(error_of([&] { write_file_atomically(path("no/b"), "x"); }), HasSubstr("no such"));
  EXPECT_THAT(error_of([&] { write_file_atomically("", "x"); }), HasSubstr("cannot write"));
  // The rename fails, since a folder has taken the name meanwhile.
  EXPECT_THAT(error_of([&] {
                AtomicFile file(path("late"));
                file.write("x");
                std::filesystem::create_directories(path("late/full"));
                file.commit();
              }),
              HasSubstr("late"));
  EXPECT_EQ(names(), (std::vector<std::string>{"late", "sub"}));
}

TEST_F(File, AWriteErrorIsReported) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  EXPECT_THAT(error_of([&] { append_line("/dev/full", "x"); }), HasSubstr("No space left"));
}

TEST_F(File, AppendsLines) {
  append_line(path("log"), "{\"step\": 1}");
  append_line(path("log"), "");
  append_line(path("log"), "{\"step\": 2}");
  EXPECT_EQ(read_file(path("log")), "{\"step\": 1}\n\n{\"step\": 2}\n");
}

TEST_F(File, MapsWithoutLettingAWriteReachTheFile) {
  write_file_atomically(path("a"), "abc");
  const auto file = MappedFile::open(path("a"));
  ASSERT_EQ(file->size(), 3u);
  file->data()[0] = std::byte{'X'};
  EXPECT_EQ(file->bytes()[0], std::byte{'X'});
  EXPECT_EQ(read_file(path("a")), "abc");
}

/// Bytes of the mapping that begins at `data` that are in this process's memory now.
std::size_t resident_bytes(const std::byte* data) {
  std::ostringstream begin;
  begin << std::hex << reinterpret_cast<std::uintptr_t>(data) << '-';
  std::ifstream maps("/proc/self/smaps");
  bool is_found = false;
  for (std::string line; std::getline(maps, line);) {
    is_found = is_found || line.starts_with(begin.str());
    if (is_found && line.starts_with("Rss:")) return std::stoul(line.substr(4)) * 1024;
  }
  throw std::runtime_error("no mapping begins there");
}

TEST_F(File, GivesThePagesOfAPartBackWhenItsLastHolderGoes) {
  const std::size_t size = 1 << 20, begin = 100;
  write_file_atomically(path("a"), std::string(begin + size, 'x'));
  const auto file = MappedFile::open(path("a"));
  Block first = MappedFile::part(file, begin, size);
  Block second = MappedFile::part(file, begin, size);
  const auto read = [&] { return std::count(first.get(), first.get() + size, std::byte{'x'}); };
  EXPECT_EQ(read(), std::ptrdiff_t{size});
  second.get()[5000] = std::byte{'y'};
  EXPECT_GE(resident_bytes(file->data()), size);
  second.reset();
  EXPECT_EQ(first.get()[5000], std::byte{'y'}) << "one of two holders took the pages with it";
  first.reset();
  // Neither the first page nor the last is whole.
  EXPECT_LE(resident_bytes(file->data()), std::size_t{2} << 12);
  first = MappedFile::part(file, begin, size);
  EXPECT_EQ(read(), std::ptrdiff_t{size}) << "not the file's bytes";
}

TEST_F(File, ReleasedPagesAreReadFromTheFileAgain) {
  const std::size_t size = 1 << 20;
  write_file_atomically(path("a"), std::string(size, 'x'));
  const auto file = MappedFile::open(path("a"));
  const Block part = MappedFile::part(file, 0, size);
  const auto read = [&] { return std::count(part.get(), part.get() + size, std::byte{'x'}); };
  EXPECT_EQ(read(), std::ptrdiff_t{size});
  MappedFile::release_pages(part);
  EXPECT_EQ(resident_bytes(file->data()), 0u);
  EXPECT_EQ(read(), std::ptrdiff_t{size});
}

TEST_F(File, MemoryThatIsNoFilesKeepsItsPages) {
  const Block block = std::make_shared<std::byte>(std::byte{7});
  MappedFile::release_pages(block);
  EXPECT_EQ(*block, std::byte{7});
}

TEST_F(File, MapsAnEmptyFileAndRefusesAFolder) {
  write_file_atomically(path("empty"), "");
  EXPECT_EQ(MappedFile::open(path("empty"))->size(), 0u);
  EXPECT_THAT(error_of([&] { MappedFile::open(folder()); }), HasSubstr("it is a folder"));
  EXPECT_THAT(error_of([&] { MappedFile::open(path("none")); }), HasSubstr("no such file"));
}

}  // namespace
}  // namespace basis
