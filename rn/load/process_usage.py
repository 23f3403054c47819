"""Processor time and memory of this process and of a server's processes."""

import resource
import time

import psutil

from rn.load.measurement import Usage


class ProcessTree:
    """A process and everything that it started.

    Args:
        pid: identifier of the process.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def processor_seconds(self) -> float:
        """Processor time of the processes that run, and of those that ended and were waited for."""
        total = 0.0
        for process in self._processes():
            try:
                total += sum(process.cpu_times()[:4])
            except psutil.Error:
                continue
        return total

    def memory(self) -> int | None:
        """Memory in bytes, with pages that processes share counted once; None if it cannot be read."""
        total = 0
        for process in self._processes():
            try:
                total += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
            except psutil.Error:
                return None
        return total or None

    def _processes(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []


class Watch:
    """Processor time of the load generator and of a server between two moments.

    Args:
        server: processes of the server, if it runs on this machine.
    """

    def __init__(self, server: ProcessTree | None) -> None:
        self._server = server
        self._began = self._read()
        self._ended = self._began

    def begin(self) -> None:
        """Mark the first moment."""
        self._began = self._ended = self._read()

    def end(self) -> None:
        """Mark the second moment."""
        self._ended = self._read()

    def usage(self) -> tuple[Usage, Usage | None]:
        """Usage of this process and of the server, whose memory is read now."""
        seconds, own, server = (e - b for b, e in zip(self._began, self._ended, strict=True))
        if seconds <= 0:
            return Usage(0.0), None
        used = None
        if self._server is not None:
            used = Usage(server / seconds, self._server.memory())
        return Usage(own / seconds), used

    def _read(self) -> tuple[float, float, float]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        server = 0.0 if self._server is None else self._server.processor_seconds()
        return time.perf_counter(), usage.ru_utime + usage.ru_stime, server


def find_server(host: str, port: int) -> ProcessTree | None:
    """The processes on this machine that listen on a port of the loopback address; None if unknown."""
    if host not in ("127.0.0.1", "::1", "localhost"):
        return None
    try:
        listening = {
            found.pid
            for found in psutil.net_connections("tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port and found.pid
        }
        # Workers that share the socket have a parent that listens too.
        tops = [pid for pid in sorted(listening) if psutil.Process(pid).ppid() not in listening]
    except psutil.Error:
        return None
    return ProcessTree(tops[0]) if tops else None
