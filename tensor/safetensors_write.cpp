#include <cstring>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "tensor/safetensors.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

using Tensors = std::vector<std::pair<std::string, Tensor>>;

const char* format_name(DType dtype) {
  switch (dtype) {
    case DType::F32:
      return "F32";
    case DType::BF16:
      return "BF16";
    case DType::F64:
      return "F64";
    case DType::I32:
      return "I32";
    case DType::U8:
      return "U8";
  }
  throw InternalError("write_safetensors: a dtype");
}

/// The header as the reference library writes it, padded with spaces so that data are aligned.
/// Throws Error with the path for a name or metadata that is not UTF-8.
std::string header_text(const std::filesystem::path& path, const Tensors& tensors,
                        const std::map<std::string, std::string>& metadata) {
  std::vector<Json::Member> header;
  if (!metadata.empty()) {
    std::vector<Json::Member> entries;
    for (const auto& [key, value] : metadata) entries.push_back({key, value});
    header.push_back({"__metadata__", Json::object(std::move(entries))});
  }
  std::size_t begin = 0;
  for (const auto& [name, tensor] : tensors) {
    Json sizes = Json::list();
    for (int axis = 0; axis < tensor.shape().rank(); ++axis) sizes.append(tensor.shape()[axis]);
    const std::size_t end = begin + tensor.bytes();
    header.push_back({name, Json::object({{"dtype", format_name(tensor.dtype())},
                                          {"shape", std::move(sizes)},
                                          {"data_offsets", Json::list({begin, end})}})});
    begin = end;
  }
  std::string text = Json::object(std::move(header)).dump(Json::one_line, path.string());
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

/// `on_host` gives a tensor in the host's memory.
template <class OnHost>
void write(const std::filesystem::path& path, const Tensors& tensors,
           const std::map<std::string, std::string>& metadata, const OnHost& on_host) {
  std::set<std::string_view> seen{"__metadata__"};
  for (const auto& [name, tensor] : tensors) {
    if (!seen.insert(name).second) {
      throw Error(fmt::format("{}: two tensors named \"{}\"", path.string(), name));
    }
    ensure(!tensor.is_empty(), "write_safetensors: tensors with elements");
  }

  const std::string header = header_text(path, tensors, metadata);
  if (header.size() > 100'000'000) {  // what readers of the format take
    throw Error(path.string() + ": the names and metadata need a header beyond 100 MB");
  }
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const auto& [name, tensor] : tensors) {
    const Tensor host = on_host(tensor);
    file.write(std::span<const std::byte>(host.bytes_begin(), host.bytes()));
  }
  file.commit();
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const Tensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  write(path, tensors, metadata, [](const Tensor& tensor) {
    ensure(tensor.device() == DeviceKind::Cpu, "write_safetensors: tensors in the host's memory");
    return tensor;
  });
}

void write_safetensors(const std::filesystem::path& path, Backend& backend, const Tensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  write(path, tensors, metadata, [&](const Tensor& tensor) { return to_host(backend, tensor); });
}

}  // namespace basis
