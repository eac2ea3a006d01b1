// See port_flag.h.
#include "app/command_line/port_flag.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>

namespace mcplane::app {
namespace {

using ParsedDevice = Parsed<net::DeviceSpec>;
using net::DeviceKind;

constexpr std::size_t kInterfaceBytesMax = 15;  // IFNAMSIZ less its NUL

bool is_alphanumeric(char letter) noexcept {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

bool is_hex(char letter) noexcept {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f') || (letter >= 'A' && letter <= 'F');
}

bool is_interface(std::string_view name) noexcept {
  const bool sound = std::ranges::all_of(
      name, [](char letter) { return is_alphanumeric(letter) || letter == '_' || letter == '-' || letter == '.'; });
  return sound && !name.empty() && name.size() <= kInterfaceBytesMax && name != "." && name != "..";
}

// "0000:3b:00.0": domain, bus, device, function.
bool is_pci_address(std::string_view name) noexcept {
  constexpr std::string_view kForm = "xxxx:xx:xx.x";
  if (name.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i)
    if (kForm[i] == 'x' ? !is_hex(name[i]) : name[i] != kForm[i]) return false;
  return true;
}

bool is_socket_path(std::string_view name) noexcept {
  return name.starts_with('/') && name.size() < sizeof(sockaddr_un::sun_path);
}

struct DeviceForm {
  DeviceKind kind;
  bool (*accepts)(std::string_view) noexcept;
  std::string_view example, rule;
};

constexpr std::string_view kInterfaceRule = "an interface name is 1 to 15 letters, digits, '_', '-' or '.'";
constexpr std::string_view kPathRule = "a socket's path starts with '/' and is at most 107 bytes";

constexpr std::array<DeviceForm, 7> kForms = {{
    {DeviceKind::kTap, is_interface, "tap:mc0", kInterfaceRule},
    {DeviceKind::kVhost, is_socket_path, "vhost:/run/mcplane/vhost.sock", kPathRule},
    {DeviceKind::kVirtio, is_socket_path, "virtio:/run/mcplane/vhost.sock", kPathRule},
    {DeviceKind::kMemif, is_socket_path, "memif:/run/mcplane/memif.sock", kPathRule},
    {DeviceKind::kAfXdp, is_interface, "af_xdp:eth0", kInterfaceRule},
    {DeviceKind::kAfPacket, is_interface, "af_packet:eth0", kInterfaceRule},
    {DeviceKind::kPci, is_pci_address, "pci:0000:3b:00.0", "a PCI address is DOMAIN:BUS:DEVICE.FUNCTION in hex"},
}};

std::string kinds() {
  std::string list;
  for (const DeviceForm& form : kForms)
    list += fmt::format("{}{}", list.empty() ? "" : ", ", net::kind_name(form.kind));
  return list;
}

// Takes ",queues=N" off the end of `name`. Returns an error line.
std::string take_queues(std::string_view typed, std::string_view& name, std::uint16_t& queues) {
  constexpr std::string_view kOption = "queues=";
  constexpr std::uint64_t kQueuesMax = 255;
  const std::size_t comma = name.find(',');
  queues = 0;
  if (comma == std::string_view::npos) return "";
  const std::string_view option = name.substr(comma + 1);
  name = name.substr(0, comma);
  const auto count = option.starts_with(kOption) ? parse_count(option.substr(kOption.size()))
                                                 : Parsed<std::uint64_t>::bad("not an option");
  if (!count || *count.value == 0 || *count.value > kQueuesMax)
    return fmt::format("{}: behind the comma only queues=1 to queues={} may stand", quote(typed), kQueuesMax);
  queues = static_cast<std::uint16_t>(*count.value);
  return "";
}

}  // namespace

Parsed<net::DeviceSpec> parse_port(std::string_view typed) {
  const std::size_t colon = typed.find(':');
  const std::string_view kind = typed.substr(0, colon);
  const auto form =
      std::ranges::find_if(kForms, [&](const DeviceForm& known) { return net::kind_name(known.kind) == kind; });
  if (colon == std::string_view::npos || form == kForms.end())
    return ParsedDevice::bad(
        fmt::format("{} is not a port; type KIND:NAME, such as tap:mc0; kinds: {}", quote(typed), kinds()));
  std::string_view name = typed.substr(colon + 1);
  net::DeviceSpec device;
  if (std::string error = take_queues(typed, name, device.queues); !error.empty())
    return ParsedDevice::bad(std::move(error));
  if (!form->accepts(name))
    return ParsedDevice::bad(fmt::format("{}: {}; type one such as {}", quote(typed), form->rule, form->example));
  device.kind = form->kind;
  device.name = name;
  return ParsedDevice::good(std::move(device));
}

}  // namespace mcplane::app
