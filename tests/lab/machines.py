"""The group's machines: launch and termination as the controller decides."""
from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from .aws.aws import Made
from .aws.metadata import META
from .aws.sessions import Renewals
from .instance.image import BASE
from .instance.instance import Surroundings, WebInstance

if TYPE_CHECKING:
    from .world import World

USER_DATA = "/latest/user-data"  # of the version that the instance is made of
STATE = f"{META}/autoscaling/target-lifecycle-state"


class Machines:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._known: dict[str, WebInstance] = {}
        self._renewals = Renewals()
        self._closed = False
        self._names: dict[str, str] = {}
        self._around = Surroundings(
            base=world.build / BASE, model=lambda: world.model, fabric=world.fabric,
            metadata=world.metadata, control=world.control, figures=world.figures,
            ca=world.authority.pem, resolver=world.model.resolver,
            public_key=world.public_key, drop_in=world.services.efs.drop_in())
        self._renewer = threading.Thread(target=self._renew, name="role credentials", daemon=True)
        self._renewer.start()

    def image(self, base: Path) -> None:
        """The image of the instances that are launched from now on."""
        self._around.base = base

    # callbacks of the controller

    def launch(self, made: Made, subnet: str) -> None:
        world, began, instance_id = self._world, time.monotonic(), made.id
        aws = world.services.aws
        with self._lock:
            name = self._names[instance_id] = f"web-{len(self._names) + 1}"
        machine = WebInstance(self._around, instance_id, name, subnet, made.address, {
            USER_DATA: made.user_data, self._credentials: aws.role_credentials(instance_id)})
        with self._lock:
            self._known[instance_id] = machine
            self._renewals.renewed(instance_id, time.monotonic())
            self._wake.notify()
        try:
            machine.launch(self._booted)
        except BaseException:
            with self._lock:
                self._known.pop(instance_id, None)
                self._renewals.gone(instance_id)
            raise
        world.log(f"{name}: {instance_id} runs after {time.monotonic() - began:.1f} s")

    def terminate(self, instance_id: str) -> None:
        with self._lock:
            machine = self._known.pop(instance_id, None)
            self._renewals.gone(instance_id)
        if machine:
            machine.terminate()

    def power(self, instance_id: str, on: bool) -> None:
        """Stops or starts the machine; its disk stays."""
        with self._lock:
            machine = self._known.get(instance_id)
        if machine and on:
            machine.host.boot(wait=False)
        elif machine:
            machine.host.power_off()

    # the role's credentials

    @property
    def _credentials(self) -> str:
        return f"{META}/iam/security-credentials/{self._world.services.aws.role.id}"

    def _renew(self) -> None:
        """A thread that renews the role's credentials long before they expire."""
        while True:
            with self._lock:
                while not self._closed and not self._renewals.due(time.monotonic()):
                    self._wake.wait(self._renewals.wait_s(time.monotonic()))
                if self._closed:
                    return
                due = self._renewals.due(time.monotonic())
                for instance in due:  # a failed renewal is retried later
                    self._renewals.failed(instance, time.monotonic())
                machines = [self._known[i] for i in due if i in self._known]
            for machine in machines:
                with self._world.troubles.guard(f"{machine.name}: role credentials"):
                    self._renew_for(machine)

    def _renew_for(self, machine: WebInstance) -> None:
        text, eni = self._world.services.aws.role_credentials(machine.id), machine.eni
        if eni:
            self._world.metadata.update(eni, {self._credentials: text})
            with self._lock:
                if machine.id in self._known:
                    self._renewals.renewed(machine.id, time.monotonic())
            self._world.log(f"{machine.name}: its role has new credentials")

    def target_state(self, instance_id: str, state: str) -> None:
        """Sets the target lifecycle state in the instance's metadata."""
        with self._lock:
            machine = self._known.get(instance_id)
        if machine and machine.eni:
            self._world.metadata.update(machine.eni, {STATE: state})

    def _booted(self, machine: WebInstance) -> None:
        said = machine.boot_failed or f"user-data done after {machine.booted_s:.1f} s"
        self._world.log(f"{machine.name}: {said}; first healthy answer after "
                        + (f"{machine.healthy_s:.1f} s" if machine.healthy_s else "?"))

    # queries

    def all(self) -> list[WebInstance]:
        """The running machines."""
        with self._lock:
            return [machine for machine in self._known.values() if machine.eni and machine.host.up]

    def stopped(self) -> set[str]:
        """Machines that have ended by themselves: not "running" for EC2."""
        return {machine.id for machine in self.all() if not machine.host.runs()}

    def name(self, instance_id: str) -> str:
        """The host's name, also after the machine has ended."""
        return self._names.get(instance_id, "")

    def close(self) -> None:
        """Like a power cut."""
        with self._lock:
            machines, self._known = list(self._known.values()), {}
            self._closed = True
            self._wake.notify()
        with ExitStack() as stack:  # every machine, even if one fails
            stack.callback(self._renewer.join, 30)
            for machine in machines:
                stack.callback(machine.close)
