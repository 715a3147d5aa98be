#include <cstdint>
#include <cstring>

#include "tensor/error.h"
#include "tensor/safetensors.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/fuzz/fuzz_targets.h"

namespace basis::fuzz {
namespace {

std::vector<std::string> safetensors_seeds() {
  return {
      safetensors_text("{}      ", 0),
      safetensors_text(R"({"__metadata__":{"format":"pt"},)"
                       R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                       R"("b":{"dtype":"I64","shape":[2],"data_offsets":[24,40]},)"
                       R"("c":{"dtype":"F16","shape":[],"data_offsets":[40,42]}})",
                       42),
      safetensors_text(R"({"u":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                       R"("d":{"dtype":"F64","shape":[1,1,1,2],"data_offsets":[3,19]},)"
                       R"("none":{"dtype":"BF16","shape":[4,0],"data_offsets":[19,19]},)"
                       R"("i":{"dtype":"I32","shape":[1],"data_offsets":[19,23]},)"
                       R"("f":{"dtype":"F4","shape":[2],"data_offsets":[23,24]}})",
                       24),
  };
}

/// What an opened file must give for one tensor: the sizes it promised, in every dtype.
void check_tensor(const SafeTensors& file, const std::string& name) {
  for (const DType wanted : {DType::F32, DType::BF16, DType::F64, DType::I32, DType::U8}) {
    try {
      const Tensor tensor = file.tensor(name, wanted);
      demand(tensor.shape() == file.shape(name) && tensor.dtype() == wanted, "as promised");
      // Touches every byte, for the address sanitizer and the page table.
      volatile std::byte last{};
      for (std::size_t i = 0; i < tensor.bytes(); ++i) last = tensor.bytes_begin()[i];
      static_cast<void>(last);
    } catch (const Error&) {
    }
  }
}

bool run_safetensors(std::string_view input) {
  static const MemoryFile memory;
  memory.set(input);
  try {
    const SafeTensors file = SafeTensors::open(memory.path());
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, input.data(), sizeof header_bytes);
    std::size_t bytes = sizeof header_bytes + header_bytes;
    for (const std::string& name : file.names()) {
      bytes += file.stored_bytes(name);
      check_tensor(file, name);
    }
    demand(bytes == input.size(), "header and tensors fill the file");
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

const Target safetensors_target{"safetensors", safetensors_seeds, run_safetensors};

}  // namespace basis::fuzz
