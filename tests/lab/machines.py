"""The group's machines: what the controller's decisions to launch and to terminate come to."""
from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from .instance import META, Surroundings, WebInstance

if TYPE_CHECKING:
    from .world import World

STATE = f"{META}/autoscaling/target-lifecycle-state"


class Machines:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._lock = threading.Lock()
        self._known: dict[str, WebInstance] = {}
        self._names: dict[str, str] = {}
        self._around = Surroundings(
            model=lambda: world.model, fabric=world.fabric, metadata=world.metadata,
            cgroups=world.cgroups, ca=world.authority.pem, resolver=world.model.resolver,
            public_key=world.public_key, drop_in=world.services.efs.drop_in())

    # the controller's callbacks

    def launch(self, instance_id: str, subnet: str, address: str) -> None:
        world, began = self._world, time.monotonic()
        aws = world.services.aws
        with self._lock:
            name = self._names[instance_id] = f"web-{len(self._names) + 1}"
        machine = WebInstance(self._around, instance_id, name, subnet, address, {
            f"{META}/iam/security-credentials/{aws.role.id}": aws.role_credentials(instance_id)})
        with self._lock:
            self._known[instance_id] = machine
        try:
            machine.launch(self._booted)
        except BaseException:
            with self._lock:
                del self._known[instance_id]
            raise
        world.log(f"{name}: {instance_id} runs after {time.monotonic() - began:.1f} s")

    def terminate(self, instance_id: str) -> None:
        with self._lock:
            machine = self._known.pop(instance_id, None)
        if machine:
            machine.terminate()

    def target_state(self, instance_id: str, state: str) -> None:
        """What the instance's metadata says of where it is going."""
        with self._lock:
            machine = self._known.get(instance_id)
        if machine and machine.eni:
            self._world.metadata.update(machine.eni, {STATE: state})

    def _booted(self, machine: WebInstance) -> None:
        said = machine.boot_failed or f"user-data done after {machine.booted_s:.1f} s"
        self._world.log(f"{machine.name}: {said}; first healthy answer after "
                        + (f"{machine.healthy_s:.1f} s" if machine.healthy_s else "?"))

    # looking

    def all(self) -> list[WebInstance]:
        """Those that run."""
        with self._lock:
            return [machine for machine in self._known.values() if machine.eni]

    def name(self, instance_id: str) -> str:
        """The host's; also of one that is gone."""
        return self._names.get(instance_id, "")

    def close(self) -> None:
        """As when the power goes."""
        with self._lock:
            machines, self._known = list(self._known.values()), {}
        for machine in machines:
            machine.close()
