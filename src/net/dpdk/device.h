// The kinds of DPDK devices a port can be, and what DPDK is told to make one. One table holds what tells them apart:
// their driver, its arguments, how many queue pairs they can have, and what they need of the machine.
// app and loadgen, before EAL starts. Pure, but for check_device(), which looks at the machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mcplane::net {

enum class DeviceKind : std::uint8_t { kTap, kVhost, kVirtio, kMemif, kAfXdp, kAfPacket, kPci };

// Which end of a point-to-point device we are: the appliance listens where the kind lets it choose.
enum class DeviceRole : std::uint8_t { kAppliance, kPeer };

struct DeviceSpec {
  DeviceKind kind = DeviceKind::kTap;
  std::string name;          // interface, socket path or PCI address
  std::uint16_t queues = 1;  // queue pairs
  std::uint16_t mtu = 1500;  // IP packet bytes; sizes the buffers of memif and AF_PACKET
  DeviceRole role = DeviceRole::kAppliance;
};

// "tap", "vhost", "virtio", "memif", "af_xdp", "af_packet", "pci".
std::string_view kind_name(DeviceKind kind) noexcept;
// "tap:mc0", as the user types it.
std::string to_string(const DeviceSpec& device);
// What DPDK calls the device that is the index-th of its process: "net_tap0", or the PCI address.
std::string dpdk_name(const DeviceSpec& device, unsigned index);
// EAL's argument that makes or admits it: "--vdev=net_tap0,iface=mc0", "--allow=0000:3b:00.0". huge_pages: packets lie
// in some, all in one file, which other processes may map.
std::string eal_argument(const DeviceSpec& device, unsigned index, bool huge_pages);
// Queue pairs a device of this kind and name can have; of a PCI device only its driver knows: 65,535.
std::uint16_t queues_max(const DeviceSpec& device);
// Whether its driver may be asked to verify received checksums. vhost and virtio would take that as leave to hand over
// frames of virtual machines without any.
bool may_verify_checksums(DeviceKind kind) noexcept;
// Whether its driver has rx interrupts, so that a core can sleep until a frame comes.
bool may_interrupt(DeviceKind kind) noexcept;
// What stands in the way of this device: one line that says what to do about it. Empty: nothing that shows before DPDK
// tries. Removes a socket of the device's own path that nobody listens on any more.
std::string check_device(const DeviceSpec& device);
// Whether a kernel driver of that name hands a PCI device to user space, or shares it.
bool serves_user_space(std::string_view driver) noexcept;
// What a device of this kind needs, for the line that reports that DPDK could not make it.
std::string_view needs_of(DeviceKind kind) noexcept;

}  // namespace mcplane::net
