"""From the resolved template to the model: instances, those of the Auto Scaling
group (its launch template) and those that stand by themselves (bastions)."""
from __future__ import annotations

from .model import Bastion, LaunchTemplate
from .model_build_network import GROUP, SUBNET, Network
from .model_reader import Properties
from .template import Stack

PROFILE = "AWS::IAM::InstanceProfile"
ROLE = "AWS::IAM::Role"


def build_launch(stack: Stack, name: str) -> LaunchTemplate:
    resource = stack.resources[name]
    with Properties.of(stack, resource) as whole:
        data = whole.part("LaunchTemplateData")
        if data is None:
            raise whole.error("", "LaunchTemplateData is missing")
    with data as p:
        tags: dict[str, str] = {}
        for specification in p.parts("TagSpecifications"):
            with specification:
                pairs = specification.pairs("Tags")
                if specification.text("ResourceType") == "instance":
                    tags = pairs
        profile = role = ""
        part = p.part("IamInstanceProfile")
        if part:
            with part:
                profile = part.reference("Arn" if "Arn" in part.values else "Name", PROFILE)
            with Properties.of(stack, stack.resources[profile]) as own:
                own.text("Path", "/")
                own.text("InstanceProfileName", "")
                role = own.references("Roles", ROLE)[0]
        hops, tokens, shown = metadata_options(p)
        return LaunchTemplate(
            name, stack.ref(name), p.user_data("UserData"), p.text("ImageId"),
            p.text("InstanceType"), p.text("KeyName", ""), p.references("SecurityGroupIds", GROUP),
            role, profile, hops, tokens, shown, tags, resource.line)


def metadata_options(p: Properties) -> tuple[int, str, bool]:
    """Hop limit, tokens, tags. Defaults are the image's: Amazon Linux 2023 has
    hop limit 2 and tokens required (AL2023 User Guide, "IMDSv2")."""
    part = p.part("MetadataOptions")
    if part is None:
        return 2, "required", False
    with part:
        part.one_of("HttpEndpoint", ("enabled",), "enabled")
        part.one_of("HttpProtocolIpv6", ("disabled",), "disabled")
        return (part.integer("HttpPutResponseHopLimit", 2, 1, 64),
                part.one_of("HttpTokens", ("required", "optional"), "required"),
                part.one_of("InstanceMetadataTags", ("enabled", "disabled"), "disabled")
                == "enabled")


def build_instances(stack: Stack, network: Network) -> list[Bastion]:
    found = []
    for each in stack.of_type("AWS::EC2::Instance"):
        with Properties.of(stack, each) as p:
            p.text("ImageId")
            p.text("PrivateIpAddress", "")
            hops, tokens, shown = metadata_options(p)
            subnet = p.reference("SubnetId", SUBNET)
            public = (stack.attribute(each.name, "PublicIp")
                      if network.subnets[subnet].maps_public_ip else "")
            found.append(Bastion(
                each.name, stack.ref(each.name), subnet, p.references("SecurityGroupIds", GROUP),
                p.text("InstanceType"), p.text("KeyName", ""),
                stack.attribute(each.name, "PrivateIp"), public, p.flag("SourceDestCheck", "true"),
                hops, tokens, shown, p.pairs("Tags"), p.user_data("UserData"), each.line))
    return found
