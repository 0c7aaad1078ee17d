"""A bastion: the machine image with a public address and sshd for the key pair's holder. It has no
private key."""
from __future__ import annotations

from typing import TYPE_CHECKING

from lab.aws.metadata import common_values
from lab.instance.image import BASE, Ec2
from lab.model.model import Bastion as Plan

if TYPE_CHECKING:
    from lab.world import World


BOOT_S = 60.0


class Bastion:
    def __init__(self, world: "World", plan: Plan) -> None:
        self.world, self.plan = world, plan
        self.zone = world.model.subnets[plan.subnet].zone
        self.host = Ec2(f"bastion-{self.zone[-1]}", world.logs, world.build / BASE)

    def start(self) -> None:
        world, plan = self.world, self.plan
        self.eni = world.fabric.attach(
            self.host, plan.subnet, self.host.name, plan.groups, plan.address,
            plan.public_address or False, plan.source_check)
        self.host.address = self.eni.address
        world.metadata.serve(self.eni, common_values(
            world.model, plan.id, plan.instance_type, self.eni, world.public_key), plan.hop_limit)
        self.host.launch(world.model.resolver, world.authority.pem)

    def wait_booted(self) -> None:
        said = self.host.booted(BOOT_S)
        if said:
            raise RuntimeError(f"{self.host.name}: {said}")

    def close(self) -> None:
        self.host.close()
