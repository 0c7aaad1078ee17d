"""A process of the agent that an intruder has taken over: it makes the system calls that the test
says, with its own user, filter, limits and sandbox. By ptrace from outside; x86-64."""
from __future__ import annotations

import ctypes
import os
import signal
import time
from typing import Any

CLONE, EXECVE, PTRACE, SETSID, SHUTDOWN, MOUNT, KILL = 56, 59, 101, 112, 48, 165, 62
SIGPROCMASK, SOCKET, BIND, PIDFD_OPEN, PIDFD_GETFD = 14, 41, 49, 434, 438
CONT, SYSCALL, GETREGS, SETREGS, DETACH = 7, 24, 12, 13, 17
SEIZE, INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000
_NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
          "fs_base gs_base ds es fs gs").split()
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in _NAMES]


class Killed(Exception):
    """The call has ended the process: the number of the signal."""


def _ptrace(request: int, pid: int, data: Any = None) -> None:
    if _libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Taken:
    """`pid`: as seen from outside. Its first thread works for us until close()."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._alive = True
        _ptrace(SEIZE, pid)
        self._before = self._stop_in_a_call()

    def __enter__(self) -> "Taken":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self) -> None:
        _, status = os.waitpid(self.pid, WALL)
        if not os.WIFSTOPPED(status):
            self._alive = False
            raise Killed(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)

    def _stop_in_a_call(self) -> Registers:
        """Where it waits for something: its instruction pointer is behind a system call."""
        for _ in range(1000):
            _ptrace(INTERRUPT, self.pid)
            self._wait()
            registers = Registers()
            _ptrace(GETREGS, self.pid, ctypes.byref(registers))
            with open(f"/proc/{self.pid}/mem", "rb") as memory:
                memory.seek(registers.rip - 2)
                if memory.read(2) == b"\x0f\x05":
                    return registers
            _ptrace(CONT, self.pid)
            time.sleep(0.001)  # until it waits again: there is no event for that
        raise RuntimeError(f"{self.pid} waits for nothing")

    def put(self, data: bytes) -> int:
        """The address of a copy, below its stack."""
        address = int(self._before.rsp) - 8192
        with open(f"/proc/{self.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(data)
        return address

    def text(self, text: str) -> int:
        return self.put(text.encode() + b"\0")

    def call(self, number: int, *args: int) -> int:
        """What the system call returns, -errno where it fails; Killed."""
        registers = Registers.from_buffer_copy(self._before)
        registers.rip -= 2
        registers.rax, registers.orig_rax = number, 2**64 - 1
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), (*args, 0, 0, 0, 0, 0, 0)):
            setattr(registers, name, value % 2**64)
        _ptrace(SETREGS, self.pid, ctypes.byref(registers))
        for _ in range(2):  # into the call, and out of it
            _ptrace(SYSCALL, self.pid)
            self._wait()
        _ptrace(GETREGS, self.pid, ctypes.byref(registers))
        if registers.rax == number:  # not made but taken back by its filter, and now the signal
            for number_of in (0, signal.SIGSYS):
                _ptrace(CONT, self.pid, number_of)
                self._wait()
        return ctypes.c_longlong(registers.rax).value

    def close(self) -> None:
        """It goes on: the call in which it was found has been interrupted."""
        if self._alive:
            registers = Registers.from_buffer_copy(self._before)
            registers.rax, registers.orig_rax = 2**64 - 4, 2**64 - 1  # -EINTR
            _ptrace(SETREGS, self.pid, ctypes.byref(registers))
            _ptrace(DETACH, self.pid)
            self._alive = False


def ended_by(pid: int, number: int, *args: int) -> int:
    """The signal that this call is answered with."""
    with Taken(pid) as taken:
        try:
            result = taken.call(number, *args)
        except Killed as killed:
            return int(killed.args[0])
    raise AssertionError(f"the call was let through: {result}")
