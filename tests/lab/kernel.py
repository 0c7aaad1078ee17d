"""What the network of the lab needs of the kernel, tried out in a namespace of its own
before anything is built."""
from __future__ import annotations

import shutil

from .netns import Netns

PROGRAMS = ("ip", "nft", "nsenter", "unshare")
LINKS = {
    "veth devices (CONFIG_VETH)": "link add one type veth peer name two\n",
    "bridges (CONFIG_BRIDGE)": "link add three type bridge\n",
    "policy routing (CONFIG_IP_MULTIPLE_TABLES)": "rule add pref 5 iif lo lookup 10\n",
}
CHAIN = "table ip try\ndelete table ip try\n" \
        "table ip try {{ chain one {{ type {} hook {} priority 0; {} ; }} ; }}\n"
RULES = {
    "nf_tables (CONFIG_NF_TABLES_IPV4)": CHAIN.format("filter", "forward", "counter"),
    "connection tracking (CONFIG_NFT_CT)":
        CHAIN.format("filter", "forward", "ct state established accept"),
    "address translation (CONFIG_NFT_NAT)":
        CHAIN.format("nat", "prerouting", "dnat to 192.0.2.1"),
    "masquerading (CONFIG_NFT_MASQ)": CHAIN.format("nat", "postrouting", "masquerade"),
    "changing packets (CONFIG_NF_TABLES)":
        CHAIN.format("filter", "prerouting", "ip daddr set 192.0.2.1"),
}


def missing() -> list[str]:
    """What is lacking, in words; [] if the network can be built."""
    lacking = [f"the program {name}" for name in PROGRAMS if not shutil.which(name)]
    if lacking:
        return lacking
    try:
        space = Netns("trial")
    except OSError as error:
        return [f"network namespaces (CONFIG_NET_NS): {error.strerror}"]
    try:
        for what, line in LINKS.items():
            if space.run("ip", "-batch", "-", stdin=line, check=False).returncode != 0:
                lacking.append(what)
        for what, text in RULES.items():
            if space.run("nft", "-f", "-", stdin=text, check=False).returncode != 0:
                lacking.append(what)
    finally:
        space.close()
    return lacking
