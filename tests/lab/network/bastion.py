"""A bastion: the machine image and nothing more, with a public address. sshd lets the key
pair's holder in and on; no private key lies here."""
from __future__ import annotations

from typing import TYPE_CHECKING

from parts.host import Host

from lab.aws.metadata import common_values
from lab.instance import image
from lab.model.model import Bastion as Plan

if TYPE_CHECKING:
    from lab.world import World


class Bastion:
    def __init__(self, world: "World", plan: Plan) -> None:
        self.world, self.plan = world, plan
        self.zone = world.model.subnets[plan.subnet].zone
        name = f"bastion-{self.zone[-1]}"
        self.host = Host(name, world.logs, binds=image.binds(world.logs, name))

    def start(self) -> None:
        world, plan = self.world, self.plan
        self.eni = world.fabric.attach(
            self.host, plan.subnet, self.host.name, plan.groups, plan.address,
            plan.public_address or False, plan.source_check)
        self.host.address = self.eni.address
        world.metadata.serve(self.eni, common_values(
            plan.id, plan.instance_type, self.eni, self.zone, world.model.region,
            world.public_key), plan.hop_limit)
        image.prepare(self.host, world.model.resolver, world.authority.pem)
        image.start(self.host)
        image.let_in(self.host, world.public_key)

    def close(self) -> None:
        self.host.close()
