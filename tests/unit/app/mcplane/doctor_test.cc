// mcplane doctor on made-up machines: what is seen, what it means for which port, and the command that mends it.
#include "app/mcplane/doctor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "app/command_line/port_flag.h"
#include "app/mcplane/doctor_command.h"

namespace mcplane::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAddress = "0000:3b:00.0";

// A machine with nothing, and a process that may do nothing; tests add to it.
class DoctorTest : public ::testing::Test {
 protected:
  DoctorTest() {
    std::string pattern = (fs::temp_directory_path() / "mcplane-doctor.XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error(pattern);
    root = pattern;
    write("/proc/self/status", "Name:\tmcplane\nCapInh:\t0000000000000000\nCapEff:\t0000000000000000\n");
    write("/proc/self/limits", "Limit  Soft Limit  Hard Limit  Units\nMax locked memory  8388608  8388608  bytes\n");
    write("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu avx2\n");
    write("/sys/devices/system/cpu/online", "0-3\n");
    write("/sys/devices/system/cpu/isolated", "\n");
  }
  ~DoctorTest() override { fs::remove_all(root); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root + path).substr(0, (root + path).rfind('/')));
    std::ofstream(root + path) << text;
  }
  void link(const std::string& path, const std::string& target) const {
    fs::create_directories((root + path).substr(0, (root + path).rfind('/')));
    fs::create_symlink(target, root + path);
  }
  void add_nic(const std::string& address, const std::string& driver) const {
    write("/sys/bus/pci/devices/" + address + "/class", "0x020000\n");
    if (!driver.empty()) link("/sys/bus/pci/devices/" + address + "/driver", "../../bus/pci/drivers/" + driver);
  }
  void grant(const std::string& capabilities) const { write("/proc/self/status", "CapEff:\t" + capabilities + "\n"); }

  std::vector<Diagnosis> examine_for(const std::string& port) const {
    return examine(Machine(root), *parse_port(port).value);
  }
  // "fail: seen; fix", of one check.
  std::string told(std::string_view check, const std::string& port) const {
    for (const auto& [name, health, finding] : examine_for(port))
      if (name == check)
        return std::string(name_of(health)) + ": " + finding.seen + (finding.fix.empty() ? "" : "; ") + finding.fix;
    return "no such check";
  }

  std::string root;
};

TEST_F(DoctorTest, TapNeedsItsDeviceAndAPrivilege) {
  EXPECT_EQ(told("TAP", "tap:mc0"), "fail: /dev/net/tun is absent; modprobe tun");
  EXPECT_EQ(told("privileges", "tap:mc0"),
            "fail: this user lacks cap_net_admin; setcap cap_net_admin+ep $(command -v mcplane)");
  EXPECT_FALSE(fit(examine_for("tap:mc0")));
  write("/dev/net/tun", "");
  grant("0000000000001000");
  EXPECT_EQ(told("TAP", "tap:mc0"), "pass: /dev/net/tun");
  EXPECT_EQ(told("privileges", "tap:mc0"), "pass: cap_net_admin");
  EXPECT_EQ(told("port", "tap:mc0"), "pass: mc0 is free");
  EXPECT_TRUE(fit(examine_for("tap:mc0")));
  write("/sys/class/net/mc0/mtu", "1500\n");
  EXPECT_EQ(told("port", "tap:mc0"), "fail: mc0 is in use; ip link delete mc0");
}

TEST_F(DoctorTest, WhatAPortDoesWithoutIsSkipped) {
  EXPECT_EQ(told("hugepages", "tap:mc0"), "skip: none reserved; sysctl -w vm.nr_hugepages=512");
  EXPECT_EQ(told("hugepages", "vhost:/run/a.sock"), "warn: none reserved; sysctl -w vm.nr_hugepages=512");
  EXPECT_EQ(told("hugepages", std::string("pci:") + kAddress), "fail: none reserved; sysctl -w vm.nr_hugepages=512");
  EXPECT_EQ(told("TAP", "memif:/run/a.sock"), "skip: /dev/net/tun is absent; modprobe tun");
}

TEST_F(DoctorTest, HugepagesOfAllSizesCountAndWhatIsInUseDoesNot) {
  const std::string small = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
  write(small + "nr_hugepages", "300\n");
  write(small + "free_hugepages", "100\n");
  EXPECT_EQ(told("hugepages", "pci:0000:3b:00.0"),
            "fail: 600 MiB reserved, 200 MiB of it free; sysctl -w vm.nr_hugepages=712");
  write("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "1\n");
  write("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
  EXPECT_EQ(told("hugepages", "pci:0000:3b:00.0"), "pass: 1624 MiB reserved, 1224 MiB of it free");
}

TEST_F(DoctorTest, MemlockIsUnlimitedLargeOrWaived) {
  const std::string port = std::string("pci:") + kAddress;
  EXPECT_EQ(told("memlock", port), "fail: at most 8MiB of 512MiB; sudo prlimit --pid $$ --memlock=unlimited:unlimited");
  write("/proc/self/limits", "Max locked memory  1073741824  1073741824  bytes\n");
  EXPECT_EQ(told("memlock", port), "pass: 1GiB");
  write("/proc/self/limits", "Max locked memory  unlimited  unlimited  bytes\n");
  EXPECT_EQ(told("memlock", port), "pass: unlimited");
  write("/proc/self/limits", "Max locked memory  8388608  8388608  bytes\n");
  grant("0000000000004000");
  EXPECT_EQ(told("memlock", port), "pass: no limit for cap_ipc_lock");
}

TEST_F(DoctorTest, IommuIsTurnedOnWhereItCanBe) {
  EXPECT_NE(told("IOMMU", "pci:0000:3b:00.0").find("intel_iommu=on iommu=pt"), std::string::npos);
  write("/proc/cpuinfo", "vendor_id\t: AuthenticAMD\nflags\t\t: fpu hypervisor avx2\n");
  EXPECT_EQ(told("IOMMU", "pci:0000:3b:00.0"),
            "fail: none: this is a virtual machine; modprobe vfio enable_unsafe_noiommu_mode=1");
  write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n");
  EXPECT_EQ(told("IOMMU", "pci:0000:3b:00.0"),
            "fail: none: this is a virtual machine; echo 1 > "
            "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
  write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
  EXPECT_EQ(told("IOMMU", "pci:0000:3b:00.0"), "pass: none; vfio serves without: devices reach all memory");
  write("/sys/kernel/iommu_groups/0/type", "DMA\n");
  write("/sys/kernel/iommu_groups/1/type", "DMA\n");
  EXPECT_EQ(told("IOMMU", "pci:0000:3b:00.0"), "pass: 2 groups");
}

TEST_F(DoctorTest, NicIsBoundToVfio) {
  const std::string port = std::string("pci:") + kAddress;
  EXPECT_EQ(told("port", port), "fail: there is no device 0000:3b:00.0; lspci -D");
  EXPECT_EQ(told("vfio", port), "fail: vfio-pci is not loaded; modprobe vfio-pci");
  add_nic(kAddress, "ixgbe");
  EXPECT_EQ(
      told("NIC driver", port),
      "fail: ixgbe; apt-get install -y dpdk && modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci 0000:3b:00.0");
  write("/usr/bin/dpdk-devbind.py", "");
  EXPECT_EQ(told("NIC driver", port), "fail: ixgbe; modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci 0000:3b:00.0");
  fs::remove(root + "/sys/bus/pci/devices/" + kAddress + "/driver");
  add_nic(kAddress, "vfio-pci");
  write("/sys/module/vfio_pci/version", "");
  write("/dev/vfio/vfio", "");
  EXPECT_EQ(told("NIC driver", port), "pass: vfio-pci");
  EXPECT_EQ(told("vfio", port), "pass: vfio-pci is loaded");
  EXPECT_EQ(told("port", port), "pass: 0000:3b:00.0 is there");
}

TEST_F(DoctorTest, ADriverThatSharesItsNicNeedsNoVfio) {
  const std::string port = std::string("pci:") + kAddress;
  add_nic(kAddress, "mlx5_core");
  EXPECT_EQ(told("NIC driver", port), "pass: mlx5_core");
  EXPECT_EQ(told("vfio", port), "pass: mlx5_core does without");
  EXPECT_EQ(told("IOMMU", port), "pass: mlx5_core does without");
}

TEST_F(DoctorTest, NicsAreListedWhenNoneIsNamed) {
  EXPECT_EQ(told("NIC driver", "tap:mc0"), "skip: no PCI NIC");
  add_nic("0000:00:03.0", "virtio-pci");
  add_nic("0000:00:04.0", "");
  write("/sys/bus/pci/devices/0000:00:05.0/class", "0x010000\n");
  EXPECT_EQ(told("NIC driver", "tap:mc0"),
            "skip: 0000:00:03.0 virtio-pci, 0000:00:04.0 -; apt-get install -y dpdk && modprobe vfio-pci && "
            "dpdk-devbind.py --bind=vfio-pci ADDRESS");
}

TEST_F(DoctorTest, CoresAreIsolatedByTheKernelsCommandLine) {
  EXPECT_NE(told("isolated cores", "tap:mc0").find("warn: none of CPUs 0-3; sed -i"), std::string::npos);
  EXPECT_NE(told("isolated cores", "tap:mc0").find("isolcpus=domain,managed_irq,3 nohz_full=3 rcu_nocbs=3"),
            std::string::npos);
  write("/sys/devices/system/cpu/isolated", "2-3\n");
  EXPECT_EQ(told("isolated cores", "tap:mc0"),
            "warn: CPUs 2-3, which this process may not use; taskset --cpu-list 0-3 mcplane --cores 2-3");
  write("/proc/self/status", "Cpus_allowed:\tf\nCpus_allowed_list:\t0-3\n");
  EXPECT_EQ(told("isolated cores", "tap:mc0"), "pass: CPUs 2-3");
  write("/sys/devices/system/cpu/isolated", "\n");
  write("/sys/devices/system/cpu/online", "0\n");
  EXPECT_EQ(told("isolated cores", "tap:mc0"), "warn: none, and there is only one CPU");
}

TEST_F(DoctorTest, PortsOnTheFileSystemNeedTheirFolderOrTheirPeer) {
  EXPECT_EQ(told("port", "memif:/run/mcplane/a.sock"), "fail: there is no folder /run/mcplane; mkdir -p /run/mcplane");
  EXPECT_EQ(told("port", "virtio:/run/mcplane/a.sock"),
            "fail: nobody listens on /run/mcplane/a.sock; mcplane --port vhost:/run/mcplane/a.sock --ip 10.0.0.1/24");
  write("/run/mcplane/a.sock", "");
  EXPECT_EQ(told("port", "vhost:/run/mcplane/a.sock"),
            "fail: /run/mcplane/a.sock is in the way, and no socket; rm /run/mcplane/a.sock");
  EXPECT_EQ(told("port", "vhost:/run/mcplane/b.sock"), "pass: /run/mcplane takes its socket");
  EXPECT_TRUE(fit(examine_for("vhost:/run/mcplane/b.sock")));
}

TEST_F(DoctorTest, InterfacesMustBeThere) {
  EXPECT_EQ(told("port", "af_packet:eth1"), "fail: there is no interface eth1; ip -brief link");
  write("/sys/class/net/eth1/mtu", "1500\n");
  EXPECT_EQ(told("port", "af_packet:eth1"), "pass: eth1 is there");
  EXPECT_EQ(told("privileges", "af_packet:eth1"),
            "fail: this user lacks cap_net_raw; setcap cap_net_raw+ep $(command -v mcplane)");
}

TEST_F(DoctorTest, SaysOneLineACheckAndTheSameAsJson) {
  const auto port = *parse_port("memif:/run/mcplane/a.sock").value;
  const auto found = examine(Machine(root), port);
  const std::string text = doctor_text(found, port, false);
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '\n')), found.size() + 1);
  EXPECT_NE(text.find("fail  port            there is no folder /run/mcplane; fix: mkdir -p /run/mcplane\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_NE(doctor_text(found, port, true).find("\033[31mfail\033[0m"), std::string::npos);
  const auto json = nlohmann::json::parse(doctor_json(found, port));
  EXPECT_EQ(json["port"], "memif:/run/mcplane/a.sock");
  EXPECT_EQ(json["ok"], false);
  ASSERT_EQ(json["checks"].size(), found.size());
  EXPECT_EQ(json["checks"][0]["result"], "fail");
  EXPECT_EQ(json["checks"][0]["fix"], "mkdir -p /run/mcplane");
}

}  // namespace
}  // namespace mcplane::app
