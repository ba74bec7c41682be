"""The cores that QEMU emulates: compiler, machine, and how its counter counts."""

from __future__ import annotations

from dataclasses import dataclass

_ARM = (("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi"),)
_RISCV = (("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"),)
_SEMIHOSTING = (
    "-nographic", "-monitor", "none", "-serial", "none",
    "-semihosting-config", "enable=on,target=native", "-icount", "shift=0",
)  # fmt: skip
"""Files come from the host; an instruction takes one nanosecond of the machine's time."""


@dataclass(frozen=True)
class Machine:
    """A machine of QEMU: its name, memory in bytes, and instructions between two counts."""

    name: str
    flash: int
    ram: int
    instructions_per_count: float


@dataclass(frozen=True)
class Core:
    """A core: its compiler and flags, emulator, machines (the first that is large enough is used).

    ``support``: files of ``boards/`` that are compiled along; ``linking``: flags of the linker, in
    which FLASH and RAM stand for a machine's bytes; ``programs``: (program, package) that it needs;
    ``emulating``: further flags of the emulator.
    """

    name: str
    compiler: str
    flags: tuple[str, ...]
    emulator: str
    machines: tuple[Machine, ...]
    support: tuple[str, ...]
    linking: tuple[str, ...]
    programs: tuple[tuple[str, str], ...]
    emulating: tuple[str, ...] = ()

    def link_flags(self, machine: Machine) -> list[str]:
        """Return the linker's flags for a machine."""
        return [
            flag.replace("FLASH", str(machine.flash)).replace("RAM", str(machine.ram))
            for flag in self.linking
        ]

    def emulation(self, machine: Machine, image: str) -> list[str]:
        """Return the command that runs an image."""
        flags = (*_SEMIHOSTING, *self.emulating)
        return [self.emulator, "-M", machine.name, *flags, "-kernel", image]


def _arm(name: str, *machines: Machine) -> Core:
    return Core(
        name,
        "arm-none-eabi-gcc",
        (f"-mcpu={name}", "-mthumb"),
        "qemu-system-arm",
        machines,
        ("cortex_m.c",),
        (
            "--specs=nano.specs", "--specs=rdimon.specs", "-nostartfiles", "-T", "cortex_m.ld",
            "-Wl,--defsym=flash_size=FLASH", "-Wl,--defsym=ram_size=RAM",
        ),
        (*_ARM, ("qemu-system-arm", "qemu-system-arm")),
    )  # fmt: skip


_MEGABYTE = 1 << 20
_LARGE = Machine("mps2-an385", 4 * _MEGABYTE, 4 * _MEGABYTE, 40)
"""A Cortex-M3, which runs the instructions of a Cortex-M0+ as well."""

CORES = {
    core.name: core
    for core in (
        _arm("cortex-m0plus", Machine("microbit", 256 << 10, 16 << 10, 62.5), _LARGE),
        _arm("cortex-m3", _LARGE),
        _arm("cortex-m4", Machine("mps2-an386", 4 * _MEGABYTE, 4 * _MEGABYTE, 40)),
        _arm("cortex-m7", Machine("mps2-an500", 4 * _MEGABYTE, 4 * _MEGABYTE, 40)),
        Core(
            "riscv32",
            "riscv64-unknown-elf-gcc",
            ("-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs"),
            "qemu-system-riscv32",
            (Machine("virt", 32 * _MEGABYTE, 32 * _MEGABYTE, 1),),
            ("riscv32.c",),
            (
                "--crt0=semihost", "--oslib=semihost",
                "-Wl,--defsym=__flash=0x80000000", "-Wl,--defsym=__flash_size=FLASH",
                "-Wl,--defsym=__ram=0x82000000", "-Wl,--defsym=__ram_size=RAM",
                "-Wl,--defsym=__stack_size=4k",
            ),
            (*_RISCV, ("qemu-system-riscv32", "qemu-system-misc")),
            ("-bios", "none"),
        ),
    )
}  # fmt: skip
"""The cores by name."""
