// See device.h. Driver arguments are those of DPDK's NIC guide (doc.dpdk.org/guides-22.11/nics).
#include "net/dpdk/device.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstring>
#include <filesystem>

namespace mcplane::net {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kUnknownQueues = 65'535;
// Ethernet, VLAN and frame check around an IP packet, and what AF_PACKET and virtio put before a frame.
constexpr std::uint32_t kAroundPacketBytes = 128;
constexpr unsigned kRingSlots = 1'024;

struct Kind {
  std::string_view name, driver;
  std::uint16_t queues_max;
  bool may_verify;
  bool may_interrupt;
  std::string_view needs;
};

// By DeviceKind. Queue limits are those of the drivers in DPDK 22.11.
constexpr std::array<Kind, 7> kKinds = {{
    {"tap", "net_tap", 16, true, true, "root or CAP_NET_ADMIN, /dev/net/tun and an interface name not in use"},
    {"vhost", "net_vhost", 128, false, true, "a folder it may write to, and the path not in use"},
    {"virtio", "net_virtio_user", 8, false, true, "a vhost-user socket that somebody listens on"},
    {"memif", "net_memif", 255, false, false, "a folder it may write to, and one memif server a path"},
    {"af_xdp", "net_af_xdp", kUnknownQueues, false, false,
     "root, and an interface with that many queues and no XDP program"},
    {"af_packet", "net_af_packet", 16, false, false, "root or CAP_NET_RAW, and an interface that is there"},
    {"pci", "", kUnknownQueues, true, true, "the device bound to vfio-pci and DPDK's driver for it installed"},
}};

const Kind& kind_of(DeviceKind kind) noexcept { return kKinds[static_cast<std::size_t>(kind)]; }

// Bytes a buffer of a device that has its own memory must have: a power of two.
std::uint32_t frame_buffer_bytes(const DeviceSpec& device) { return std::bit_ceil(device.mtu + kAroundPacketBytes); }

std::string driver_arguments(const DeviceSpec& device, bool huge_pages) {
  const std::uint32_t bytes = frame_buffer_bytes(device);
  switch (device.kind) {
    case DeviceKind::kTap:
      return fmt::format("iface={}", device.name);
    case DeviceKind::kVhost:
      return fmt::format("iface={},queues={}", device.name, device.queues);
    case DeviceKind::kVirtio:
      // A packed ring, where the other side can: it has in one line what cores exchange four for in a split one.
      return fmt::format("path={},queues={},queue_size={},mrg_rxbuf=0,in_order=1,packed_vq=1", device.name,
                         device.queues, kRingSlots);
    case DeviceKind::kMemif:
      // A client with huge pages lends its packets to the server, who alone copies then.
      return fmt::format("role={},socket={},socket-abstract=no,bsize={},rsize={}{}",
                         device.role == DeviceRole::kAppliance ? "server" : "client", device.name, bytes,
                         std::countr_zero(kRingSlots),
                         device.role == DeviceRole::kPeer && huge_pages ? ",zero-copy=yes" : "");
    case DeviceKind::kAfXdp:
      return fmt::format("iface={},start_queue=0,queue_count={}", device.name, device.queues);
    case DeviceKind::kAfPacket:
      return fmt::format("iface={},qpairs={},blocksz={},framesz={},framecnt={}", device.name, device.queues,
                         std::max<std::uint32_t>(bytes, 4'096), bytes, kRingSlots);
    case DeviceKind::kPci:
      break;
  }
  return "";
}

std::string check_interface(const DeviceSpec& device) {
  if (if_nametoindex(device.name.c_str()) != 0) return "";
  return fmt::format("{}: there is no interface {}; 'ip link' lists them", to_string(device), device.name);
}

// Whether somebody accepts connections on this UNIX socket.
bool is_served(const std::string& path) {
  const int probe = socket(AF_UNIX, SOCK_STREAM, 0);
  if (probe < 0) return true;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool served = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(probe);
  return served;
}

std::string check_listening(const DeviceSpec& device) {
  std::error_code error;
  const fs::path path(device.name);
  if (!fs::is_directory(path.parent_path(), error))
    return fmt::format("{0}: there is no folder {1}; type: mkdir -p {1}", to_string(device),
                       path.parent_path().string());
  if (!fs::exists(path, error)) return "";
  if (!fs::is_socket(path, error) || is_served(device.name))
    return fmt::format("{}: {} is in use; stop who uses it, or type another path", to_string(device), device.name);
  fs::remove(path, error);
  return "";
}

std::string check_connecting(const DeviceSpec& device) {
  std::error_code error;
  if (fs::is_socket(device.name, error)) return "";
  return fmt::format("{}: nobody listens there; start the other side first", to_string(device));
}

std::string check_pci(const DeviceSpec& device) {
  const fs::path folder = fs::path("/sys/bus/pci/devices") / device.name;
  std::error_code error;
  if (!fs::exists(folder, error))
    return fmt::format("{}: there is no such device; 'lspci -D' lists them", to_string(device));
  const std::string driver = fs::read_symlink(folder / "driver", error).filename().string();
  if (serves_user_space(driver)) return "";
  return fmt::format("{}: the device {}; bind it: modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci {}",
                     to_string(device), driver.empty() ? "has no driver" : "is bound to the kernel's " + driver,
                     device.name);
}

}  // namespace

std::string_view kind_name(DeviceKind kind) noexcept { return kind_of(kind).name; }

std::string to_string(const DeviceSpec& device) { return fmt::format("{}:{}", kind_name(device.kind), device.name); }

std::string dpdk_name(const DeviceSpec& device, unsigned index) {
  return device.kind == DeviceKind::kPci ? device.name : fmt::format("{}{}", kind_of(device.kind).driver, index);
}

std::string eal_argument(const DeviceSpec& device, unsigned index, bool huge_pages) {
  if (device.kind == DeviceKind::kPci) return "--allow=" + device.name;
  return fmt::format("--vdev={},{}", dpdk_name(device, index), driver_arguments(device, huge_pages));
}

std::uint16_t queues_max(const DeviceSpec& device) {
  if (device.kind != DeviceKind::kAfXdp) return kind_of(device.kind).queues_max;
  std::uint16_t queues = 0;
  std::error_code error;
  for (const auto& queue : fs::directory_iterator("/sys/class/net/" + device.name + "/queues", error))
    if (queue.path().filename().string().starts_with("rx-")) ++queues;
  return queues > 0 ? queues : kUnknownQueues;  // check_device() says that it is not there
}

bool may_verify_checksums(DeviceKind kind) noexcept { return kind_of(kind).may_verify; }

bool may_interrupt(DeviceKind kind) noexcept { return kind_of(kind).may_interrupt; }

std::string check_device(const DeviceSpec& device) {
  switch (device.kind) {
    case DeviceKind::kTap:
      return "";
    case DeviceKind::kVhost:
      return check_listening(device);
    case DeviceKind::kVirtio:
      return check_connecting(device);
    case DeviceKind::kMemif:
      return device.role == DeviceRole::kAppliance ? check_listening(device) : check_connecting(device);
    case DeviceKind::kAfXdp:
    case DeviceKind::kAfPacket:
      return check_interface(device);
    case DeviceKind::kPci:
      return check_pci(device);
  }
  return "";
}

bool serves_user_space(std::string_view driver) noexcept {
  constexpr std::array<std::string_view, 6> kDrivers = {"vfio-pci",  "igb_uio",   "uio_pci_generic",
                                                        "mlx5_core", "mlx4_core", "mana"};
  for (const std::string_view known : kDrivers)
    if (driver == known) return true;
  return false;
}

std::string_view needs_of(DeviceKind kind) noexcept { return kind_of(kind).needs; }

}  // namespace mcplane::net
