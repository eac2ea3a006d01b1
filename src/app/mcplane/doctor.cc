// Paths are those of Linux's admin guide; of commands, Debian's.
#include "app/mcplane/doctor.h"

#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <span>

#include "app/command_line/units.h"

namespace mcplane::app {
namespace {

using net::DeviceKind;
using net::DeviceSpec;

// What packet buffers take unless --memory says otherwise.
constexpr std::uint64_t kBufferBytes = 512ULL << 20;
constexpr std::string_view kPciDevices = "/sys/bus/pci/devices";
constexpr std::string_view kNoIommu = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";

std::string pci_folder(std::string_view address) { return fmt::format("{}/{}", kPciDevices, address); }

std::string driver_of(const Machine& machine, std::string_view address) {
  return machine.link_name(pci_folder(address) + "/driver");
}

// The port's own driver serves user space beside the kernel: vfio is not asked for.
bool shares_with_kernel(const Machine& machine, const DeviceSpec& port) {
  if (port.kind != DeviceKind::kPci) return false;
  const std::string driver = driver_of(machine, port.name);
  return net::serves_user_space(driver) && driver != "vfio-pci";
}

std::string on_kernel_command_line(std::string_view words) {
  return fmt::format(R"(sed -i 's/^GRUB_CMDLINE_LINUX="/&{} /' /etc/default/grub && update-grub && systemctl reboot)",
                     words);
}

std::string folder_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

Finding look_at_listening(const Machine& machine, const std::string& path) {
  const std::string folder = folder_of(path);
  if (!machine.exists(folder)) return {false, "there is no folder " + folder, "mkdir -p " + folder};
  if (!machine.may_write(folder))
    return {false, "this user may not write to " + folder, fmt::format("chown $(id -u) {}", folder)};
  if (machine.exists(path) && !machine.is_socket(path))
    return {false, path + " is in the way, and no socket", "rm " + path};
  return {true, folder + " takes its socket", ""};
}

Finding look_at_port(const Machine& machine, const DeviceSpec& port) {
  const bool has_interface = machine.exists("/sys/class/net/" + port.name);
  switch (port.kind) {
    case DeviceKind::kTap:
      if (has_interface) return {false, port.name + " is in use", "ip link delete " + port.name};
      return {true, port.name + " is free", ""};
    case DeviceKind::kAfXdp:
    case DeviceKind::kAfPacket:
      if (!has_interface) return {false, "there is no interface " + port.name, "ip -brief link"};
      return {true, port.name + " is there", ""};
    case DeviceKind::kVhost:
    case DeviceKind::kMemif:
      return look_at_listening(machine, port.name);
    case DeviceKind::kVirtio:
      if (!machine.is_socket(port.name))
        return {false, "nobody listens on " + port.name, "mcplane --port vhost:" + port.name + " --ip 10.0.0.1/24"};
      return {true, port.name + " is there", ""};
    case DeviceKind::kPci:
      if (!machine.exists(pci_folder(port.name))) return {false, "there is no device " + port.name, "lspci -D"};
      return {true, port.name + " is there", ""};
  }
  return {};
}

Finding look_at_tap(const Machine& machine, const DeviceSpec&) {
  if (!machine.exists("/dev/net/tun")) return {false, "/dev/net/tun is absent", "modprobe tun"};
  if (!machine.may_write("/dev/net/tun"))
    return {false, "this user may not open /dev/net/tun", "chmod 0666 /dev/net/tun"};
  return {true, "/dev/net/tun", ""};
}

Finding look_at_privileges(const Machine& machine, const DeviceSpec& port) {
  struct Privilege {
    unsigned number;
    std::string_view name;
  };
  static constexpr std::array kPrivileges = {Privilege{CAP_NET_ADMIN, "cap_net_admin"},
                                             Privilege{CAP_NET_RAW, "cap_net_raw"},
                                             Privilege{CAP_SYS_ADMIN, "cap_sys_admin"}};
  std::span<const Privilege> needed;
  if (port.kind == DeviceKind::kTap) needed = std::span(kPrivileges).first(1);
  if (port.kind == DeviceKind::kAfPacket) needed = std::span(kPrivileges).subspan(1, 1);
  if (port.kind == DeviceKind::kAfXdp) needed = kPrivileges;
  std::string all, missing;
  for (const Privilege& privilege : needed) {
    all += fmt::format("{}{}", all.empty() ? "" : ",", privilege.name);
    if (!machine.has_capability(privilege.number))
      missing += fmt::format("{}{}", missing.empty() ? "" : ", ", privilege.name);
  }
  if (!missing.empty())
    return {false, "this user lacks " + missing, fmt::format("setcap {}+ep $(command -v mcplane)", all)};
  return {true, needed.empty() ? "none needed" : all, ""};
}

Finding look_at_hugepages(const Machine& machine, const DeviceSpec&) {
  constexpr std::string_view kFolder = "/sys/kernel/mm/hugepages";
  std::uint64_t all_bytes = 0, free_bytes = 0;
  for (const std::string& name : machine.names(kFolder)) {
    constexpr std::string_view kPrefix = "hugepages-";  // "hugepages-2048kB"
    if (!name.starts_with(kPrefix)) continue;
    const std::uint64_t page_bytes = std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10) << 10;
    all_bytes += page_bytes * machine.number(fmt::format("{}/{}/nr_hugepages", kFolder, name));
    free_bytes += page_bytes * machine.number(fmt::format("{}/{}/free_hugepages", kFolder, name));
  }
  const std::string seen = all_bytes == 0
                               ? "none reserved"
                               : fmt::format("{} MiB reserved, {} MiB of it free", all_bytes >> 20, free_bytes >> 20);
  if (free_bytes >= kBufferBytes) return {true, seen, ""};
  // 2 MiB each; what is in use stays so.
  return {false, seen, fmt::format("sysctl -w vm.nr_hugepages={}", (all_bytes - free_bytes + 2 * kBufferBytes) >> 21)};
}

Finding look_at_memlock(const Machine& machine, const DeviceSpec&) {
  if (machine.has_capability(CAP_IPC_LOCK)) return {true, "no limit for cap_ipc_lock", ""};
  const auto max_bytes = machine.locked_memory_max_bytes();
  if (!max_bytes) return {true, "unlimited", ""};
  if (*max_bytes >= kBufferBytes) return {true, format_size_bytes(*max_bytes), ""};
  return {false, fmt::format("at most {} of {}", format_size_bytes(*max_bytes), format_size_bytes(kBufferBytes)),
          "sudo prlimit --pid $$ --memlock=unlimited:unlimited"};
}

Finding look_at_iommu(const Machine& machine, const DeviceSpec& port) {
  if (shares_with_kernel(machine, port)) return {true, driver_of(machine, port.name) + " does without", ""};
  if (const std::size_t groups = machine.names("/sys/kernel/iommu_groups").size(); groups > 0)
    return {true, fmt::format("{} groups", groups), ""};
  if (machine.line(kNoIommu) == "Y") return {true, "none; vfio serves without: devices reach all memory", ""};
  const std::string cpu = machine.field("/proc/cpuinfo", "flags");
  if ((" " + cpu + " ").find(" hypervisor ") != std::string::npos)
    return {
        false, "none: this is a virtual machine",
        machine.exists(kNoIommu) ? fmt::format("echo 1 > {}", kNoIommu) : "modprobe vfio enable_unsafe_noiommu_mode=1"};
  const bool intel = machine.field("/proc/cpuinfo", "vendor_id") == "GenuineIntel";
  return {false, "off, in the firmware or the kernel",
          on_kernel_command_line(intel ? "intel_iommu=on iommu=pt" : "iommu=pt")};
}

Finding look_at_vfio(const Machine& machine, const DeviceSpec& port) {
  if (shares_with_kernel(machine, port)) return {true, driver_of(machine, port.name) + " does without", ""};
  if (!machine.exists("/sys/module/vfio_pci") || !machine.exists("/dev/vfio/vfio"))
    return {false, "vfio-pci is not loaded", "modprobe vfio-pci"};
  const std::string group = machine.link_name(pci_folder(port.name) + "/iommu_group");
  const std::string device = "/dev/vfio/" + group;
  if (port.kind == DeviceKind::kPci && !group.empty() && machine.exists(device) && !machine.may_write(device))
    return {false, "this user may not open " + device, "sudo chown $(id -u) " + device};
  return {true, "vfio-pci is loaded", ""};
}

std::string bind_command(const Machine& machine, std::string_view address) {
  return fmt::format("{}modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci {}",
                     machine.exists("/usr/bin/dpdk-devbind.py") ? "" : "apt-get install -y dpdk && ", address);
}

Finding look_at_nic_driver(const Machine& machine, const DeviceSpec& port) {
  if (port.kind == DeviceKind::kPci) {
    const std::string driver = driver_of(machine, port.name);
    return {net::serves_user_space(driver), driver.empty() ? "no driver" : driver, bind_command(machine, port.name)};
  }
  Finding finding{false, "", bind_command(machine, "ADDRESS")};
  for (const std::string& address : machine.names(kPciDevices)) {
    constexpr std::string_view kNetworkClass = "0x02";
    if (!machine.line(pci_folder(address) + "/class").starts_with(kNetworkClass)) continue;
    const std::string driver = driver_of(machine, address);
    finding.good = finding.good || net::serves_user_space(driver);
    finding.seen += fmt::format("{}{} {}", finding.seen.empty() ? "" : ", ", address, driver.empty() ? "-" : driver);
  }
  if (finding.seen.empty()) return {false, "no PCI NIC", ""};
  return finding;
}

// The kernel keeps ordinary processes off isolated CPUs; who is to run there must say so.
Finding look_at_cores(const Machine& machine, const DeviceSpec&) {
  const std::string isolated = machine.line("/sys/devices/system/cpu/isolated");
  const std::string online = machine.line("/sys/devices/system/cpu/online");
  if (const auto wanted = parse_cpu_list(isolated); wanted) {
    const auto allowed = parse_cpu_list(machine.field("/proc/self/status", "Cpus_allowed_list"));
    if (allowed && std::ranges::includes(*allowed.value, *wanted.value)) return {true, "CPUs " + isolated, ""};
    return {false, fmt::format("CPUs {}, which this process may not use", isolated),
            fmt::format("taskset --cpu-list {} mcplane --cores {}", online, isolated)};
  }
  const auto cpus = parse_cpu_list(online);
  if (!cpus || cpus.value->size() < 2) return {false, "none, and there is only one CPU", ""};
  // The last is what --cores takes by itself.
  return {false, fmt::format("none of CPUs {}", online),
          on_kernel_command_line(
              fmt::format("isolcpus=domain,managed_irq,{0} nohz_full={0} rcu_nocbs={0}", cpus.value->back()))};
}

using Kinds = std::uint32_t;  // a bit each
constexpr Kinds of(DeviceKind kind) { return 1U << static_cast<unsigned>(kind); }
constexpr Kinds kNone = 0, kAll = ~0U;
constexpr Kinds kPci = of(DeviceKind::kPci), kAfXdp = of(DeviceKind::kAfXdp);
constexpr Kinds kSharesMemory = of(DeviceKind::kVhost) | of(DeviceKind::kVirtio);

struct Check {
  std::string_view name;
  Kinds needed, helps;  // for which ports
  Finding (*look)(const Machine& machine, const DeviceSpec& port);
};

constexpr std::array kChecks = {
    Check{"port", kAll, kNone, look_at_port},
    Check{"TAP", of(DeviceKind::kTap), kNone, look_at_tap},
    Check{"privileges", kAll, kNone, look_at_privileges},
    Check{"hugepages", kPci, kSharesMemory, look_at_hugepages},
    Check{"memlock", kPci | kAfXdp, kNone, look_at_memlock},
    Check{"IOMMU", kPci, kNone, look_at_iommu},
    Check{"vfio", kPci, kNone, look_at_vfio},
    Check{"NIC driver", kPci, kNone, look_at_nic_driver},
    Check{"isolated cores", kNone, kAll, look_at_cores},
};

Health health_of(const Check& check, const Finding& finding, DeviceKind kind) {
  if (finding.good) return Health::kPass;
  if ((check.needed & of(kind)) != 0) return Health::kFail;
  return (check.helps & of(kind)) != 0 ? Health::kWarn : Health::kSkip;
}

}  // namespace

std::string_view name_of(Health health) noexcept {
  constexpr std::array<std::string_view, 4> kNames = {"pass", "warn", "fail", "skip"};
  return kNames[static_cast<std::size_t>(health)];
}

std::vector<Diagnosis> examine(const Machine& machine, const net::DeviceSpec& port) {
  std::vector<Diagnosis> diagnoses;
  for (const Check& check : kChecks) {
    Finding finding = check.look(machine, port);
    if (finding.good) finding.fix.clear();
    const Health health = health_of(check, finding, port.kind);
    diagnoses.push_back({check.name, health, std::move(finding)});
  }
  return diagnoses;
}

bool fit(const std::vector<Diagnosis>& diagnoses) noexcept {
  return std::ranges::none_of(diagnoses, [](const Diagnosis& found) { return found.health == Health::kFail; });
}

}  // namespace mcplane::app
