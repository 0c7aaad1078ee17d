"""The template's network, built from network namespaces: a router for each subnet and for the VPC,
an internet gateway, NAT gateways, an internet, and a backplane without rules (for replication,
control, and the servers behind the endpoints).

Real: every packet, its route, its addresses and its filters. A stand-in: namespaces in place of
AWS's distributed mapping service; these routers count hops, AWS's do not. The namespaces have no
names and no processes: all end with this process."""
from __future__ import annotations

import ipaddress
import threading
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from parts.host import Host

from lab.model.model import Model
from . import fabric_text as text
from . import rules
from .conntrack import forget
from .netns import PLAIN, Holder, Netns, ip_in, path_of, write_sysctls

FIRST_HOST = 10  # of a subnet; AWS uses any address but the first four and the last


@dataclass
class Eni:
    """An elastic network interface."""
    name: str
    subnet: str
    address: str
    public: str | None
    mac: str
    device: str               # the interface's port in the subnet's router
    groups: list[str] | None  # None: not filtered (a NAT gateway)
    source_check: bool
    holder: Holder


@dataclass
class Forwarder:
    """An ENI with one port that is forwarded to a server on the backplane: of an interface
    endpoint or a mount target."""
    eni: Eni
    behind: str               # address on the backplane, which the server sees


class Fabric:
    """`logs`: folder of the hosts' logs."""

    def __init__(self, model: Model, logs: Path) -> None:
        self.model, self.logs = model, logs
        self.enis: dict[str, Eni] = {}
        self.nats: dict[str, Eni] = {}
        self.enforced = True
        self._lock = threading.RLock()
        self._held = 0
        self._spaces: list[Netns] = []
        self._loaded: dict[str, str] = {}
        self._links: dict[str, list[str]] = {}
        self._settled: weakref.WeakSet[Host] = weakref.WeakSet()
        self._next = {name: FIRST_HOST for name in model.subnets}
        # The upper half: the template's own addresses are in the lower half.
        self._public = map(str, list(ipaddress.IPv4Network(text.PUBLIC_POOL).hosts())[128:])
        self._behind = (f"100.64.1.{number}" for number in range(1, 255))
        try:
            self._build()
        except BaseException:  # also KeyboardInterrupt
            self.close()
            raise

    # construction

    def _space(self, name: str) -> Netns:
        space = Netns(name)
        self._spaces.append(space)
        return space

    def _build(self) -> None:
        model = self.model
        self.vpc, self.gateway = self._space("vpc"), self._space("igw")
        self.outside, self.middle = self._space("internet"), self._space("backplane")
        self._routers = {name: self._space(name) for name in model.subnets}
        self.middle.ip("link add bridge type bridge forward_delay 0\nlink set bridge up\n")
        self._join_routers()
        with self.batch():
            for name, router in self._routers.items():
                subnet = model.subnets[name]
                router.ip(text.subnet_routes(subnet.cidr, subnet.router))
                router.nft(text.metadata_only())
            for space in (self.vpc, self.gateway, self.outside):
                space.nft(text.closed(space.name))
            self.gateway.ip(f"route add {model.vpc_cidr} {text.via(text.UPLINK)}\n"
                            f"route add default {text.via(text.OUTSIDE)}\n")
            # A route from the internet to the private addresses: tests prove that it does not
            # help.
            self.outside.ip(f"address add {text.INTERNET_HOP}/32 dev lo\n"
                            f"route add {text.PUBLIC_POOL} {text.via(text.GATEWAY)}\n"
                            f"route add {model.vpc_cidr} {text.via(text.GATEWAY)}\n"
                            "route add blackhole default\n")
            self._add_nats()

    def _join_routers(self) -> None:
        near, far = text.cable(text.GATEWAY, text.UPLINK, "igw", self.gateway.path)
        out, back = text.cable(text.OUTSIDE, text.GATEWAY, "internet", self.outside.path)
        ends = {self.gateway: far + out, self.outside: back}
        for name, router in self._routers.items():
            here, there = text.cable(rules.device(name), text.UPLINK, name, router.path)
            near += here
            ends[router] = there
        self.vpc.ip(near)
        for space, lines in ends.items():
            space.ip(lines)

    def _add_nats(self) -> None:
        for nat in self.model.nats:
            if nat.name in self.nats:
                continue
            space = self._space(nat.name)
            space.nft(text.nat_gateway(self.model.vpc_cidr))
            eni = self.attach(space, nat.subnet, nat.name, None,
                              public=nat.public_address or True, source_check=False)
            self._routers[nat.subnet].ip(text.nat_route(eni.device, eni.address))
            self.nats[nat.name] = eni

    def close(self) -> None:
        """The caller ends the attached hosts before."""
        for space in reversed(self._spaces):
            space.close()
        self._spaces = []
        self.enis = {}

    # rules

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Loads the rules once at the end, not after each change."""
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
                self._load()

    def apply(self, model: Model) -> None:
        """Applies a changed template: routes and rules. Subnets do not change."""
        places = [{s.name: s.cidr for s in m.subnets.values()} for m in (self.model, model)]
        if places[0] != places[1]:
            raise RuntimeError("other subnets need a new lab")
        with self._lock:
            self.model = model
            self._add_nats()
            self._load()

    def enforce(self, on: bool) -> None:
        """Off: all security groups and network ACLs allow everything."""
        with self._lock:
            self.enforced = on
            self._load()

    def forget(self) -> None:
        """Deletes all tracked connections of the security groups: they are judged by the new
        rules. AWS keeps tracked connections when a rule is removed (EC2 User Guide, "Security
        group connection tracking"); tests need the effect at once."""
        for router in self._routers.values():
            with router.net():
                forget()

    def _load(self) -> None:
        """Loads the rules and routes of every namespace, each in one transaction."""
        if self._held:
            return
        model, members = self.model, self._members()
        self._change(self.vpc, "routes", text.local_routes(model, self._links)
                     + text.template_routes(model, self._links))
        self._change(self.gateway, "rules", text.internet_gateway(model.vpc_cidr, {
            eni.address: eni.public for eni in self.enis.values() if eni.public}))
        self._change(self.vpc, "rules", rules.acl_ruleset(model, enforced=self.enforced))
        for name, router in self._routers.items():
            views = [rules.EniView(eni.device, eni.address, eni.groups, eni.source_check)
                     for eni in self.enis.values() if eni.subnet == name]
            self._change(router, "rules", rules.group_ruleset(
                model, name, views, members, enforced=self.enforced))

    def _members(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in self.model.groups}
        for eni in self.enis.values():
            for group in eni.groups or []:
                found.setdefault(group, []).append(eni.address)
        return found

    def _change(self, space: Netns, what: str, wanted: str) -> None:
        key = f"{space.name} {what}"
        if self._loaded.get(key) != wanted:
            (space.ip if what == "routes" else space.nft)(wanted)
            self._loaded[key] = wanted

    # interfaces

    def router(self, subnet: str) -> Netns:
        return self._routers[subnet]

    def attach(self, holder: Holder, subnet: str, name: str, groups: list[str] | None,
               address: str | None = None, public: bool | str = False,
               source_check: bool = True, device: str = "eth0") -> Eni:
        """Gives a host or a namespace an ENI, addresses and the default route. Without `address`
        it gets the next address that was not used recently; `public`: this public address, or any.
        The caller writes resolv.conf."""
        self._settle(holder)
        with self._lock:
            if name in self.enis:
                raise RuntimeError(f"there is an ENI {name} already")
            address = self._address(subnet, address)
            eni = Eni(name, subnet, address, self._public_address(public),
                      text.eni_address(address), self._device(subnet, name), groups,
                      source_check, holder)
            self.enis[name] = eni
            try:
                self._load()  # rules first: the interface must never exist without them
                self._plug(eni, device)
            except BaseException:
                self.detach(eni)
                raise
            return eni

    def _plug(self, eni: Eni, device: str) -> None:
        router, subnet = self._routers[eni.subnet], self.model.subnets[eni.subnet]
        router.ip(text.port(eni.device, eni.address, eni.mac, device, path_of(eni.holder)))
        router.sysctl({f"ipv4/conf/{eni.device}/proxy_arp": 1,
                       f"ipv4/neigh/{eni.device}/proxy_delay": 0})
        ip_in(eni.holder, f"address add {eni.address}/{subnet.network.prefixlen} dev {device}\n"
                          f"link set {device} up\nroute add default via {subnet.router}\n")

    def detach(self, eni: Eni) -> None:
        """Removes the ENI and its records."""
        with self._lock:
            if not self._spaces:
                return  # everything is removed
            self.enis.pop(eni.name, None)
            # The device has already gone with its host.
            self._routers[eni.subnet].run("ip", "link", "delete", eni.device, check=False)
            if isinstance(eni.holder, Netns) and eni.holder in self._spaces:
                self._spaces.remove(eni.holder)
                eni.holder.close()
            self._load()

    def forwarder(self, subnet: str, name: str, groups: list[str], port: int, to: str,
                  address: str | None = None) -> Forwarder:
        """An ENI with one TCP port that is forwarded to a server on the backplane. detach(its eni)
        removes it."""
        space, behind = self._space(name), next(self._behind)
        self.backplane(space, behind)
        space.nft(text.forwarder("eth0", port, to, "back0"))
        return Forwarder(self.attach(space, subnet, name, groups, address), behind)

    def public_forwarder(self, name: str, address: str, port: int, to: str) -> None:
        """The same on the internet; removed at the end of the lab."""
        space = self._space(name)
        self.backplane(space, next(self._behind))
        space.nft(text.forwarder("eth0", port, to, "back0"))
        self.internet(space, address)

    # links outside the rules

    def backplane(self, holder: Holder, address: str, device: str = "back0") -> None:
        """Adds a device on the backplane."""
        self._settle(holder)
        port = "p" + ipaddress.IPv4Address(address).packed[2:].hex()
        self.middle.ip(f"link add {port} type veth peer name {device} netns {path_of(holder)}\n"
                       f"link set {port} master bridge up\n")
        bits = ipaddress.IPv4Network(text.BACKPLANE).prefixlen
        ip_in(holder, f"address add {address}/{bits} dev {device}\nlink set {device} up\n")

    def internet(self, holder: Holder, *addresses: str, device: str = "eth0") -> None:
        """Adds a host on the internet, with its default route."""
        self._settle(holder)
        port = "h" + ipaddress.IPv4Address(addresses[0]).packed.hex()
        near = text.link_address(f"{port} near")
        far = text.link_address(f"{port} far")
        self.outside.ip(
            f"link add {port} address {near} type veth peer name {device} address {far} "
            f"netns {path_of(holder)}\nlink set {port} up\n"
            + "".join(f"neigh replace {a} lladdr {far} dev {port} nud permanent\n"
                      f"route replace {a}/32 dev {port}\n" for a in addresses))
        ip_in(holder, "".join(f"address add {a}/32 dev {device}\n" for a in addresses)
              + f"link set {device} up\n"
                f"neigh replace {text.INTERNET_HOP} lladdr {near} dev {device} nud permanent\n"
                f"route add default via {text.INTERNET_HOP} dev {device} onlink\n")

    def hang(self, holder: Holder, link: str, *addresses: str, device: str = "vpc0") -> None:
        """Attaches a host to the VPC's router itself, beside the subnets: the resolver, and the
        region's S3 behind its gateway endpoint."""
        self._settle(holder)
        near, far = text.cable(link, device, link, path_of(holder))
        self.vpc.ip(near)
        ip_in(holder, far + "".join(f"address add {a}/32 dev {device}\n" for a in addresses)
              + f"route add {self.model.vpc_cidr} {text.via(device)}\n")
        with self._lock:
            self._links[link] = list(addresses)
            self._load()

    def _settle(self, holder: Holder) -> None:
        """Copies the relevant sysctls of the machine to a host, once."""
        if isinstance(holder, Host) and holder not in self._settled:
            self._settled.add(holder)
            with holder.net():
                write_sysctls(PLAIN)

    def _address(self, subnet: str, wanted: str | None) -> str:
        network = self.model.subnets[subnet].network
        taken = {eni.address for eni in self.enis.values()}
        # VPC User Guide, "Subnet sizing": the first four addresses and the last are AWS's.
        usable = range(4, network.num_addresses - 1)
        if wanted:
            number = int(ipaddress.IPv4Address(wanted)) - int(network[0])
            if number not in usable or wanted in taken:
                raise RuntimeError(f"{wanted} is not free in {subnet} ({network})")
            return wanted
        for _ in usable:
            number = self._next[subnet]
            self._next[subnet] = number + 1 if number + 1 in usable else usable[0]
            if str(network[number]) not in taken:
                return str(network[number])
        raise RuntimeError(f"no address is left in {subnet} ({network})")

    def _public_address(self, wanted: bool | str) -> str | None:
        if not wanted:
            return None
        found = wanted if isinstance(wanted, str) else next(self._public)
        if ipaddress.IPv4Address(found) not in ipaddress.IPv4Network(text.PUBLIC_POOL) or \
                any(eni.public == found for eni in self.enis.values()):
            raise RuntimeError(f"{found} is no free public address of {text.PUBLIC_POOL}")
        return found

    def _device(self, subnet: str, name: str) -> str:
        """A device's name has at most 15 characters."""
        taken = {eni.device for eni in self.enis.values() if eni.subnet == subnet}
        taken |= {"lo", text.UPLINK}
        if len(name) <= 15 and name not in taken:
            return name
        return next(short for short in (f"{name[:11]}-{number:03x}" for number in range(4096))
                    if short not in taken)
