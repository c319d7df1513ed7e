"""A school PC as the Linux kernel shows it, written into a folder: invented, but with the kernel's own file formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from phongmay_agent.probes.roots import Roots

CPUINFO = "\n\n".join(
    f"""processor\t: {number}
vendor_id\t: GenuineIntel
model name\t: Intel(R) Core(TM) i3-10100 CPU @ 3.60GHz
physical id\t: 0
core id\t\t: {number % 4}
flags\t\t: fpu vme msr lm nx"""
    for number in range(8)
)

PCI = "devices/pci0000:00"
FILES: dict[str, str] = {
    "proc/cpuinfo": CPUINFO + "\n\n",
    "proc/meminfo": "MemTotal:        7865432 kB\nMemFree:         1000000 kB\n",
    "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
    "proc/self/mountinfo": "25 1 253:0 / / rw - ext4 /dev/mapper/pc--vg-root rw\n26 25 0:5 / /proc rw - proc proc rw\n",
    "proc/net/route": (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "wlp3s0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
        "enp2s0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "enp2s0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    ),
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
    "etc/resolv.conf": "# made by dhclient\nsearch example\nnameserver 192.168.1.254\nnameserver 9.9.9.9\n",
    "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/product_name": "OptiPlex 3080\n",
    "sys/class/dmi/id/board_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/board_name": "To be filled by O.E.M.\n",
    "sys/class/dmi/id/bios_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/bios_version": "2.8.0\n",
    "sys/class/dmi/id/bios_date": "03/12/2021\n",
    # system disk: NVMe with LVM on its third partition
    f"sys/{PCI}/nvme/nvme0/model": "KINGSTON SNVS250G\n",
    f"sys/{PCI}/nvme/nvme0/serial": "50026B7684C0FFEE\n",
    f"sys/{PCI}/nvme/nvme0/nvme0n1/size": "488397168\n",
    f"sys/{PCI}/nvme/nvme0/nvme0n1/removable": "0\n",
    f"sys/{PCI}/nvme/nvme0/nvme0n1/queue/rotational": "0\n",
    f"sys/{PCI}/nvme/nvme0/nvme0n1/nvme0n1p3/partition": "3\n",
    # data disk: SATA, turning
    f"sys/{PCI}/ata1/host0/target/0:0:0:0/model": "WDC WD10EZEX\n",
    f"sys/{PCI}/ata1/host0/target/0:0:0:0/vendor": "ATA     \n",
    f"sys/{PCI}/ata1/host0/target/0:0:0:0/wwid": "naa.50014ee2b1234567\n",
    f"sys/{PCI}/ata1/host0/target/0:0:0:0/block/sda/size": "1953525168\n",
    f"sys/{PCI}/ata1/host0/target/0:0:0:0/block/sda/removable": "0\n",
    f"sys/{PCI}/ata1/host0/target/0:0:0:0/block/sda/queue/rotational": "1\n",
    # a pupil's USB stick, an empty card reader, a DVD drive, loop, zram, LVM
    f"sys/{PCI}/usb1/1-4/host6/6:0:0:0/model": "DataTraveler\n",
    f"sys/{PCI}/usb1/1-4/host6/6:0:0:0/block/sdb/size": "60506112\n",
    f"sys/{PCI}/usb1/1-4/host6/6:0:0:0/block/sdb/removable": "1\n",
    f"sys/{PCI}/usb1/1-5/host7/7:0:0:0/model": "Card Reader\n",
    f"sys/{PCI}/usb1/1-5/host7/7:0:0:0/block/sdc/size": "0\n",
    f"sys/{PCI}/ata2/host1/1:0:0:0/model": "DVD-ROM\n",
    f"sys/{PCI}/ata2/host1/1:0:0:0/block/sr0/size": "2097151\n",
    "sys/devices/virtual/block/loop0/size": "8388608\n",
    "sys/devices/virtual/block/zram0/size": "8388608\n",
    "sys/devices/virtual/block/dm-0/size": "400000000\n",
    # network: wired at 1 Gbit/s, wireless that does not tell, loopback and a bridge of a container system
    f"sys/{PCI}/eth/net/enp2s0/address": "d4:be:d9:12:34:56\n",
    f"sys/{PCI}/eth/net/enp2s0/addr_assign_type": "0\n",
    f"sys/{PCI}/eth/net/enp2s0/type": "1\n",
    f"sys/{PCI}/eth/net/enp2s0/carrier": "1\n",
    f"sys/{PCI}/eth/net/enp2s0/operstate": "up\n",
    f"sys/{PCI}/eth/net/enp2s0/speed": "1000\n",
    f"sys/{PCI}/eth/net/enp2s0/duplex": "full\n",
    f"sys/{PCI}/wlan/net/wlp3s0/address": "d6:00:00:aa:bb:cc\n",
    f"sys/{PCI}/wlan/net/wlp3s0/addr_assign_type": "3\n",
    f"sys/{PCI}/wlan/net/wlp3s0/type": "1\n",
    f"sys/{PCI}/wlan/net/wlp3s0/carrier": "0\n",
    f"sys/{PCI}/wlan/net/wlp3s0/operstate": "down\n",
    f"sys/{PCI}/wlan/net/wlp3s0/speed": "-1\n",
    f"sys/{PCI}/wlan/net/wlp3s0/duplex": "unknown\n",
    f"sys/{PCI}/wlan/net/wlp3s0/wireless/status": "0x0\n",
    "sys/devices/virtual/net/lo/address": "00:00:00:00:00:00\n",
    "sys/devices/virtual/net/lo/type": "772\n",
    "sys/devices/virtual/net/docker0/address": "02:42:11:22:33:44\n",
    "sys/devices/virtual/net/docker0/operstate": "up\n",
}
LINKS: dict[str, str] = {
    f"sys/{PCI}/nvme/nvme0/nvme0n1/device": f"sys/{PCI}/nvme/nvme0",
    f"sys/{PCI}/ata1/host0/target/0:0:0:0/block/sda/device": f"sys/{PCI}/ata1/host0/target/0:0:0:0",
    f"sys/{PCI}/usb1/1-4/host6/6:0:0:0/block/sdb/device": f"sys/{PCI}/usb1/1-4/host6/6:0:0:0",
    f"sys/{PCI}/usb1/1-5/host7/7:0:0:0/block/sdc/device": f"sys/{PCI}/usb1/1-5/host7/7:0:0:0",
    f"sys/{PCI}/ata2/host1/1:0:0:0/block/sr0/device": f"sys/{PCI}/ata2/host1/1:0:0:0",
    "sys/block/nvme0n1": f"sys/{PCI}/nvme/nvme0/nvme0n1",
    "sys/block/sda": f"sys/{PCI}/ata1/host0/target/0:0:0:0/block/sda",
    "sys/block/sdb": f"sys/{PCI}/usb1/1-4/host6/6:0:0:0/block/sdb",
    "sys/block/sdc": f"sys/{PCI}/usb1/1-5/host7/7:0:0:0/block/sdc",
    "sys/block/sr0": f"sys/{PCI}/ata2/host1/1:0:0:0/block/sr0",
    "sys/block/loop0": "sys/devices/virtual/block/loop0",
    "sys/block/zram0": "sys/devices/virtual/block/zram0",
    "sys/block/dm-0": "sys/devices/virtual/block/dm-0",
    "sys/dev/block/253:0": "sys/devices/virtual/block/dm-0",
    "sys/devices/virtual/block/dm-0/slaves/nvme0n1p3": f"sys/{PCI}/nvme/nvme0/nvme0n1/nvme0n1p3",
    f"sys/{PCI}/eth/net/enp2s0/device": f"sys/{PCI}/eth",
    f"sys/{PCI}/wlan/net/wlp3s0/device": f"sys/{PCI}/wlan",
    "sys/class/net/enp2s0": f"sys/{PCI}/eth/net/enp2s0",
    "sys/class/net/wlp3s0": f"sys/{PCI}/wlan/net/wlp3s0",
    "sys/class/net/lo": "sys/devices/virtual/net/lo",
    "sys/class/net/docker0": "sys/devices/virtual/net/docker0",
}
MakePc = Callable[..., Roots]


@pytest.fixture
def make_pc(tmp_path: Path) -> MakePc:
    """Write the PC's tree with some files changed (None takes one away) and give its roots."""

    def make(changes: Mapping[str, str | None] | None = None, links: Mapping[str, str] | None = None) -> Roots:
        files = {**FILES, **(changes or {})}
        for name, text in files.items():
            if text is not None:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
        for name, target in {**LINKS, **(links or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(tmp_path / target)
        return Roots.under(tmp_path)

    return make
