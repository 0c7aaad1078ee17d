"""From the resolved template to the model: the instances of the Auto Scaling group (its launch
template) and single instances (bastions)."""
from __future__ import annotations

from lab.template.interpreter import Stack
from . import cloudconfig
from .build_groups import GROUP
from .build_network import SUBNET, Network
from .build_rights import PROFILE, roles_of_profiles
from .model import Bastion, LaunchTemplate
from .reader import Properties, only

INSTANCE = "AWS::EC2::Instance"
LAUNCH = "AWS::EC2::LaunchTemplate"
# EC2 API Reference, LaunchTemplateTagSpecificationRequest
TAGGED = ("instance", "volume", "network-interface", "spot-instances-request")


def build_launch(stack: Stack) -> LaunchTemplate:
    resource = only(stack, LAUNCH)
    with Properties.of(stack, resource) as whole:
        data = whole.part("LaunchTemplateData")
        if data is None:
            raise whole.error("", "LaunchTemplateData is missing")
    with data as p:
        profiles = roles_of_profiles(stack)
        tags: dict[str, str] = {}
        for specification in p.parts("TagSpecifications"):
            with specification:
                pairs = specification.pairs("Tags")
                # Tags of disks and other parts have no effect: the lab's instances have no such
                # parts.
                if specification.one_of("ResourceType", TAGGED) == "instance":
                    tags = pairs
        p.text("KeyName")
        part = p.part("IamInstanceProfile")
        if part is None:
            raise p.error("", "IamInstanceProfile is missing; the lab's instances have a role")
        with part:
            profile = part.reference("Arn" if "Arn" in part.values else "Name", PROFILE)
        hops, shown = metadata_options(p, ("enabled", "disabled"))
        return LaunchTemplate(
            resource.name, stack.ref(resource.name), _user_data(p), p.text("ImageId"),
            _instance_type(p), p.references("SecurityGroupIds", GROUP), profiles[profile], hops,
            "required", shown, tags, resource.line)


def _user_data(p: Properties) -> str:
    """Parsed completely (model/cloudconfig.py): otherwise a mistake would appear only at an
    instance's boot."""
    text = p.user_data("UserData")
    try:
        cloudconfig.parse(text)
    except cloudconfig.BadConfig as error:
        where = f", line {error.line} of the cloud-config" if error.line else ""
        raise p.error("UserData", f"UserData{where}: {error}") from None
    return text


def _instance_type(p: Properties) -> str:
    return p.matching("InstanceType", r"[a-z0-9-]+\.[a-z0-9-]+")


def check_keys(stack: Stack) -> None:
    """The lab has one key pair; the administrator has its private key."""
    known = ""
    for resource in [*stack.of_type(INSTANCE), *stack.of_type(LAUNCH)]:
        whole = Properties.of(stack, resource)
        p = whole if resource.type == INSTANCE else whole.part("LaunchTemplateData")
        if p is not None:
            name = p.text("KeyName")
            if known not in ("", name):
                raise p.error("KeyName", f'"{name}", elsewhere "{known}": the lab has one key pair')
            known = name


def metadata_options(p: Properties, tags: tuple[str, ...]) -> tuple[int, bool]:
    """Hop limit, and whether tags are readable. Defaults are the image's: Amazon Linux 2023 has
    hop limit 2 and requires tokens (AL2023 User Guide, "IMDSv2")."""
    part = p.part("MetadataOptions")
    if part is None:
        return 2, False
    with part:
        part.one_of("HttpEndpoint", ("enabled",), "enabled")
        part.one_of("HttpProtocolIpv6", ("disabled",), "disabled")
        part.one_of("HttpTokens", ("required",), "required")
        return (part.integer("HttpPutResponseHopLimit", 2, 1, 64),
                part.one_of("InstanceMetadataTags", tags, "disabled") == "enabled")


def build_instances(stack: Stack, network: Network) -> list[Bastion]:
    found: list[Bastion] = []
    for each in stack.of_type(INSTANCE):
        with Properties.of(stack, each) as p:
            p.text("ImageId")
            p.text("KeyName")
            hops, _ = metadata_options(p, ("disabled",))
            subnet = p.reference("SubnetId", SUBNET)
            zone = network.subnets[subnet].zone
            if any(network.subnets[other.subnet].zone == zone for other in found):
                raise p.error("SubnetId", f"the lab has one bastion in {zone}, already given")
            public = (stack.attribute(each.name, "PublicIp")
                      if network.subnets[subnet].maps_public_ip else "")
            found.append(Bastion(
                each.name, stack.ref(each.name), subnet, p.references("SecurityGroupIds", GROUP),
                _instance_type(p), stack.attribute(each.name, "PrivateIp"), public,
                p.flag("SourceDestCheck", "true"), hops, each.line))
    return found
