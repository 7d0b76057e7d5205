"""Who looks at a live test's rack where CAPY_EXPERT is set, for expert.py to judge what was seen: the switch
itself, at every port; where its plane is in the kernel, which captures nothing, the clients' own devices.
CAPY_EXPERT may name a directory, where what was said is left for tools/test-expert."""

import glob
import json
import os
import shutil
import signal
import subprocess
import time

import expert
import rack as testing

DOWN = ("stop", "kill", "restart")
SETTLE_S = 0.5  # RSTs of killed clients may still be put back
PUT_BACK = ("put_back_frames", "relayed_frames")


def asked_for():
    return bool(os.environ.get("CAPY_EXPERT"))


def directory(name):
    """An empty one, for captures."""
    path = os.path.join(testing.OUT, "captures-" + name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def judge(name, scene=None):
    """What was captured there is in order; the captures go, so that they do not fill the disk."""
    path = os.path.join(testing.OUT, "captures-" + name)
    said = expert.judge(path, scene or expert.Scene())
    print(f"{said.frames} frames, {said.ours} ours, {said.followed} of them put back; explained: "
          f"{dict(said.rules)}", flush=True)
    told = os.environ.get("CAPY_EXPERT", "")
    if os.path.isabs(told):
        path_told = os.path.join(told, f"{os.path.basename(testing.OUT)}.{len(os.listdir(told))}.json")
        with open(path_told, "w", encoding="utf-8") as f:
            json.dump(said.as_json(), f)
    shutil.rmtree(path)
    return said


class Observer:
    """options: for `capy rack up`. asked: told of each command to the rack, as some lose frames."""

    options = ()

    def __init__(self, rack):
        self.rack, self.name = rack, os.path.basename(rack.dir)
        self.directory = directory(self.name)
        self.lossy = self.cut = False
        self.lived, self.counted = set(rack.servers), {}

    def begin(self):
        pass

    def asked(self, cmd, name):
        self.lossy |= cmd == "fault" or cmd in DOWN
        if cmd in DOWN:
            self.lived.discard(name)

    def end(self):
        """The rack still lives: what its servers have counted, when what the clients' deaths set off is over."""
        time.sleep(SETTLE_S)
        for server in self.lived:
            try:
                parts = self.rack.ask(server, "counters").values()
            except (OSError, testing.Failure):
                continue  # the test has ended it by other means
            self.counted[server] = sum(part.get(name, 0) for part in parts if isinstance(part, dict)
                                       for name in PUT_BACK)

    def kernels(self):
        """Servers on kernel sockets."""
        with open(self.rack.path("rack.conf"), encoding="utf-8") as f:
            lines = f.read().splitlines()
        return [s for s in self.rack.servers
                if any(f'name = "{s}"' in line and 'stack = "linux"' in line for line in lines)]

    def judge(self):
        judge(self.name, expert.Scene(self.rack.clients_cnt, self.lossy, self.cut, self.kernels(), self.counted))


class AtSwitch(Observer):
    def __init__(self, rack):
        super().__init__(rack)
        self.options = ("--capture", self.directory)

    def asked(self, cmd, name):
        """A switch that starts again begins its captures anew: those so far are kept under another name."""
        super().asked(cmd, name)
        if cmd not in DOWN or name != "switch":
            return
        self.cut |= cmd == "kill"
        part = len(glob.glob(os.path.join(self.directory, "*.*.pcapng")))
        for path in glob.glob(os.path.join(self.directory, "*.pcapng")):
            name, *more = os.path.basename(path).split(".")
            if len(more) == 1:
                os.rename(path, os.path.join(self.directory, f"{name}.{part}.pcapng"))


class AtClients(Observer):
    """The frames that servers' AF_XDP sockets take are seen by no other program there."""

    def begin(self):
        for i in range(self.rack.clients_cnt):
            path = os.path.join(self.directory, f"c{i + 1}.pcapng")
            self.rack.client("dumpcap", "-q", "-i", "eth0", "-B", "64", "-w", path, member=f"c{i + 1}",
                             stderr=subprocess.DEVNULL)
            testing.until(lambda p=path: os.path.exists(p) and os.path.getsize(p) > 0, "dumpcap runs")
        self.programs = self.rack.clients[-self.rack.clients_cnt:]
        del self.rack.clients[-self.rack.clients_cnt:]

    def end(self):
        super().end()
        for program in self.programs:
            os.killpg(program.pid, signal.SIGTERM)  # it writes what it still holds
            program.wait(testing.PATIENCE_S)


def of(rack, plane):
    return AtSwitch(rack) if plane == "user" else AtClients(rack)
