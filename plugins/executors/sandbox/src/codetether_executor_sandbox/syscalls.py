"""Numbers of the system calls that commands in the sandbox may not make, or only with certain arguments."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from codetether_executor_sandbox.words import words

FORBIDDEN = words(
    # another process's memory and descriptors
    "ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp move_pages migrate_pages "
    # the machine
    "kexec_load kexec_file_load reboot init_module finit_module delete_module syslog acct swapon swapoff quotactl "
    "quotactl_fd iopl ioperm settimeofday clock_settime sethostname setdomainname vhangup nfsservctl uselib _sysctl "
    # mounts
    "mount umount2 pivot_root chroot setns open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr "
    "open_by_handle_at fanotify_init "
    # parts of the kernel with a long record of holes
    "bpf perf_event_open userfaultfd add_key request_key keyctl lookup_dcookie io_uring_setup io_uring_enter "
    "io_uring_register"
)

_X86_64 = (
    "ptrace=101 process_vm_readv=310 process_vm_writev=311 kcmp=312 pidfd_getfd=438 process_madvise=440 kexec_load=246 "
    "kexec_file_load=320 reboot=169 init_module=175 finit_module=313 delete_module=176 syslog=103 acct=163 swapon=167 "
    "swapoff=168 quotactl=179 quotactl_fd=443 mount=165 umount2=166 pivot_root=155 chroot=161 setns=308 open_tree=428 "
    "move_mount=429 fsopen=430 fsconfig=431 fsmount=432 fspick=433 mount_setattr=442 open_by_handle_at=304 "
    "fanotify_init=300 bpf=321 perf_event_open=298 userfaultfd=323 add_key=248 request_key=249 keyctl=250 "
    "lookup_dcookie=212 io_uring_setup=425 io_uring_enter=426 io_uring_register=427 settimeofday=164 clock_settime=227 "
    "sethostname=170 setdomainname=171 vhangup=153 nfsservctl=180 clone=56 clone3=435 unshare=272 socket=41 "
    "socketpair=53 ioctl=16 migrate_pages=256 move_pages=279 iopl=172 ioperm=173 uselib=134 _sysctl=156"
)
_AARCH64 = (
    "ptrace=117 process_vm_readv=270 process_vm_writev=271 kcmp=272 pidfd_getfd=438 process_madvise=440 kexec_load=104 "
    "kexec_file_load=294 reboot=142 init_module=105 finit_module=273 delete_module=106 syslog=116 acct=89 swapon=224 "
    "swapoff=225 quotactl=60 quotactl_fd=443 mount=40 umount2=39 pivot_root=41 chroot=51 setns=268 open_tree=428 "
    "move_mount=429 fsopen=430 fsconfig=431 fsmount=432 fspick=433 mount_setattr=442 open_by_handle_at=265 "
    "fanotify_init=262 bpf=280 perf_event_open=241 userfaultfd=282 add_key=217 request_key=218 keyctl=219 "
    "lookup_dcookie=18 io_uring_setup=425 io_uring_enter=426 io_uring_register=427 settimeofday=170 clock_settime=112 "
    "sethostname=161 setdomainname=162 vhangup=58 nfsservctl=42 clone=220 clone3=435 unshare=97 socket=198 "
    "socketpair=199 ioctl=29 migrate_pages=238 move_pages=239"
)


@frozen(kw_only=True)
class Architecture:
    """A processor's system calls.

    Attributes:
        audit: the number by which the kernel tells a filter of it.
        foreign_bit: calls from here on belong to another set of numbers (x32), 0 where there is none.
    """

    name: str
    audit: int
    numbers: Mapping[str, int]
    foreign_bit: int = 0


def _numbers(text: str) -> dict[str, int]:
    return {name: int(number) for name, number in (word.split("=") for word in text.split())}


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(name="x86_64", audit=0xC000003E, numbers=_numbers(_X86_64), foreign_bit=0x40000000),
    "aarch64": Architecture(name="aarch64", audit=0xC00000B7, numbers=_numbers(_AARCH64)),
}
"""By the machine's name as `uname -m` tells it."""
