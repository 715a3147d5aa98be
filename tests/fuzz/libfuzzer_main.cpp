// One program a reader: BASIS_FUZZ_TARGET is the name of its Target.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/fuzz/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Another exception than basis::Error ends the program, which libFuzzer reports.
  basis::fuzz::BASIS_FUZZ_TARGET.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
