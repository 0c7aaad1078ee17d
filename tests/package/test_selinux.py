"""packaging/selinux: that it compiles, what it allows and what it does not, on top of Debian's
policy with all of its modules. It has decided about nothing that ran: enforcing is not tried.

    PYTHONPATH=tests python -m pytest -c tests/stack/pytest.ini --rootdir tests \
        tests/package/test_selinux.py
"""
from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from package.sepolicy import MODULE, MODULES, Policy, build, expand, said, unpacked

# The whole policy takes half a minute to make: one process has it for all of these.
pytestmark = pytest.mark.xdist_group("policy")

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "packaging" / "selinux"
SERVICES, MOUNT = DOMAINS = ("wna_t", "wna_mount_t")
FILES = ("file", "dir", "lnk_file", "sock_file", "fifo_file", "chr_file", "blk_file")
LIBRARIES = {"ld_so_t", "lib_t", "textrel_shlib_t"}  # "execute" is also mapping a library


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("selinux")


@pytest.fixture(scope="module", name="module")
def _module(folder: Path) -> Path:
    return build(SOURCE, folder / "selinux")


@pytest.fixture(scope="module", name="policy")
def _policy(module: Path, folder: Path) -> Policy:
    names = sorted(file.name.partition(".")[0] for file in MODULES.glob("*.pp.bz2"))
    names.remove("base")
    assert len(names) > 300 and MODULE not in names
    modules = unpacked(["base", *names], folder)
    done = expand([*modules, module], folder / "policy")
    assert done.returncode == 0, done.stderr[-2000:]
    for file in modules[1:]:  # of folders like this one pytest keeps three
        file.unlink()
    return Policy(folder / "policy")


def capabilities(domain: str, policy: Policy) -> set[str]:
    return {permission for rule in policy.rules(domain)
            if rule.kind in ("capability", "capability2") and policy.is_in(domain, rule.target)
            for permission in rule.permissions}


def unit_capabilities() -> set[str]:
    unit = (ROOT / "packaging/systemd/web-node-agent-mount.service").read_text()
    return {name.lower() for line in re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.M)
            for name in re.findall(r"CAP_(\w+)", line)}


# What the base policy promises (neverallow) holds with the module, and is looked at: the same
# module with one rule too many is refused.

@pytest.mark.parametrize("target, refused", [("etc_t", False), ("shadow_t", True)])
def test_promises_of_the_base(module: Path, folder: Path, target: str, refused: bool) -> None:
    more = folder / "more.te"
    more.write_text(f"module more 1.0;\n"
                    f"require {{ type wna_t, {target}; class file read; }}\n"
                    f"allow wna_t {target}:file read;\n")
    said("checkmodule", "-M", "-m", "-o", str(more.with_suffix(".mod")), str(more))
    said("semodule_package", "-o", str(more.with_suffix(".pp")), "-m",
         str(more.with_suffix(".mod")))
    done = expand([*unpacked(["base"], folder), module, more.with_suffix(".pp")],
                  folder / "promises")
    assert (done.returncode != 0) == refused, done.stderr
    assert ("neverallow violated by allow wna_t shadow_t" in done.stderr) == refused


def test_grammar_of_what_is_for_fedora(folder: Path) -> None:
    """With Debian's interface under Fedora's name: more cannot be compiled here."""
    source = folder / "source"
    shutil.copytree(SOURCE, source)
    rules, interfaces = source / f"{MODULE}.te", source / f"{MODULE}.if"
    text = rules.read_text()
    assert text.count("ifdef(`files_runtime_file',") == 1
    rules.write_text(text.replace("ifdef(`files_runtime_file',", "ifdef(`not_in_fedora',"))
    interfaces.write_text(interfaces.read_text() +
                          "interface(`files_pid_file',`\n\tfiles_runtime_file($*)\n')\n")
    build(source, folder / "fedora", "DISTRO=redhat")


def test_is_not_unconfined(policy: Policy) -> None:
    for domain in DOMAINS:
        assert policy.attributes(domain) <= {"domain", "daemon"}, domain
    # Domains that are, have attributes that say so.
    assert {a for a in policy.attributes("initrc_t") if "unconfined" in a}
    for text in (file.read_text() for file in SOURCE.iterdir()):
        assert not re.search(r"^\s*unconfined_domain|self:capability2? \*|^permissive", text, re.M)
    assert "Permissive Types: 0" in policy.inventory


def test_who_becomes_whom(policy: Policy) -> None:
    """Hooks and wnactl have no label of their own: they run where services without a policy do."""
    started = policy.transitions("init_t")
    assert {("wna_exec_t", SERVICES, ""), ("wna_mount_exec_t", MOUNT, "")} <= started
    assert ("bin_t", "initrc_t", "") in started
    # Helpers; the probe; the proxy of a hung mount.
    assert policy.transitions(MOUNT) == {("mount_exec_t", "mount_t", ""), ("bin_t", "mount_t", ""),
                                         ("stunnel_exec_t", "mount_t", ""), ("wna_exec_t", SERVICES, "")}
    assert policy.transitions(SERVICES) == set()
    may = {domain: {rule.target for rule in policy.rules(domain) if rule.kind == "process" and
                    rule.permissions & {"transition", "dyntransition"}} for domain in DOMAINS}
    assert may == {MOUNT: {"mount_t", SERVICES}, SERVICES: set()}


def test_entrances(policy: Policy) -> None:
    for domain, executable in zip(DOMAINS, ("wna_exec_t", "wna_mount_exec_t")):
        assert policy.targets(domain, "entrypoint", "file") == {executable}


def test_sandboxed_services_keep_their_transition(policy: Policy) -> None:
    """With NoNewPrivileges= it needs a permission of its own, and the policy to know of it."""
    assert "nnp_nosuid_transition" in policy.inventory
    for permission in ("nnp_transition", "nosuid_transition"):
        assert policy.allows("init_t", SERVICES, "process2", permission)
    assert policy.allows(MOUNT, SERVICES, "process2", "nnp_transition")  # the probe
    assert not policy.allows(MOUNT, "mount_t", "process2", "nnp_transition")


def test_the_keeper_s_power_over_others(policy: Policy) -> None:
    for child in (SERVICES, "mount_t"):
        assert policy.allows(MOUNT, child, "process", "sigkill")
        assert not policy.allows(MOUNT, child, "process", "noatsecure")
    assert policy.allows(MOUNT, SERVICES, "process", "rlimitinh")
    # A proxy that efs-utils' watchdog, or a person, has started.
    for other in ("initrc_t", "unconfined_t"):
        assert policy.allows(MOUNT, other, "process", "sigkill")
        assert not policy.allows(MOUNT, other, "process", "ptrace")
    for other in (MOUNT, "mount_t", "initrc_t"):
        assert not policy.allows(SERVICES, other, "process", "sigkill")


def test_what_is_executed(policy: Policy) -> None:
    executed = {domain: {rule.target for rule in policy.rules(domain) if rule.kind == "file" and
                         "execute" in rule.permissions} - LIBRARIES for domain in DOMAINS}
    assert executed[SERVICES] == {"wna_exec_t"}
    assert executed[MOUNT] == {"wna_mount_exec_t", "wna_exec_t", "mount_exec_t", "bin_t", "stunnel_exec_t"}
    assert not policy.allows(SERVICES, "bin_t", "file", "execute")
    for domain in DOMAINS:
        assert not policy.allows(domain, "shell_exec_t", "file", "execute"), domain
        assert not [rule for rule in policy.rules(domain)
                    if "execute_no_trans" in rule.permissions]
    # Where hooks run, there is a shell, and the hub.
    assert policy.allows("initrc_t", "shell_exec_t", "file", "execute")
    assert policy.allows("initrc_t", SERVICES, "unix_stream_socket", "connectto")


def test_capabilities(policy: Policy) -> None:
    assert capabilities(SERVICES, policy) == set()
    assert "sys_admin" in capabilities(MOUNT, policy) <= unit_capabilities()


def test_nobody_traces_and_all_look(policy: Policy) -> None:
    """Reading /proc/PID/exe is a read of the other's files."""
    for domain in DOMAINS:
        assert not [rule for rule in policy.rules(domain) if "ptrace" in rule.permissions]
        assert policy.allows(domain, "httpd_t", "file", "read"), domain
    assert [rule for rule in policy.rules("initrc_t") if "ptrace" in rule.permissions]


def test_connections_out(policy: Policy) -> None:
    assert not policy.targets(MOUNT, "name_connect", "tcp_socket")
    for kind in ("tcp_socket", "udp_socket"):
        assert not policy.allows(MOUNT, MOUNT, kind, "create")
        assert policy.allows(SERVICES, SERVICES, kind, "create")
    assert policy.targets(SERVICES, "name_connect", "tcp_socket") == {
        "http_port_t", "http_cache_port_t", "mysqld_port_t", "dns_port_t", "nfs_port_t"}
    rules = policy.allows(SERVICES, "smtp_port_t", "tcp_socket", "name_connect")
    assert rules and {rule.only_if for rule in rules} == {"wna_connect_any:True"}
    assert "bool wna_connect_any false;" in policy.inventory


def test_listening(policy: Policy) -> None:
    """systemd makes the sockets, with the label of the service that they are for."""
    default = re.search(r"listen = \S+:(\d+)", (ROOT / "packaging/agent.conf").read_text())
    assert default
    ports = policy.info("--portcon", default[1])
    labels = {m[1] for m in re.finditer(r"portcon tcp \S+ \w+:\w+:(\w+)", ports)}
    assert labels == {"unreserved_port_t"}, ports
    assert policy.targets(SERVICES, "name_bind", "tcp_socket") == {
        "unreserved_port_t", "wna_port_t"}
    for port in ("http_port_t", "ssh_port_t", "mysqld_port_t"):
        assert not policy.allows(SERVICES, port, "tcp_socket", "name_bind")
    assert not policy.targets(MOUNT, "name_bind", "tcp_socket", "udp_socket")
    for kind in ("tcp_socket", "unix_stream_socket"):
        for permission in ("create", "bind", "listen"):
            assert policy.allows("init_t", SERVICES, kind, permission)
        assert policy.allows(SERVICES, SERVICES, kind, "accept")
        assert not policy.allows(MOUNT, SERVICES, kind, "accept")
    for domain in DOMAINS:
        assert policy.allows(domain, SERVICES, "unix_stream_socket", "connectto")


def test_the_configuration_in_force(policy: Policy) -> None:
    """wnactl writes it, and every process maps it."""
    for permission in ("open", "read", "map"):
        for domain in DOMAINS:
            assert policy.allows(domain, "wna_run_t", "file", permission)
    assert policy.allows("initrc_t", "wna_run_t", "file", "create")


def test_secrets(policy: Policy) -> None:
    """Their owner and mode say which of the services may read which."""
    for permission in ("open", "read"):
        assert policy.allows(SERVICES, "wna_secret_t", "file", permission)
        assert not policy.allows(MOUNT, "wna_secret_t", "file", permission)
    assert not policy.allows("httpd_t", "wna_secret_t", "file", "read")
    assert policy.allows("httpd_t", "wna_etc_t", "file", "open")
    for domain in DOMAINS:
        assert not policy.allows(domain, "shadow_t", "file", "read")


def test_what_is_written(policy: Policy) -> None:
    def written(domain: str, *kinds: str) -> set[str]:
        return {rule.target for rule in policy.rules(domain) if rule.kind in kinds and
                rule.permissions & {"write", "append", "create", "setattr", "unlink", "link",
                                    "rename", "add_name", "remove_name", "relabelto"}}

    own = {"wna_run_t", "wna_var_lib_t"}
    inherited = {"init_tmpfs_t"}
    assert written(SERVICES, "file") - inherited - {SERVICES} == own
    assert written(SERVICES, "dir") == own
    # efs-utils' state files.
    assert written(MOUNT, "file") - inherited - {MOUNT} == own | {"var_run_t", "sysfs_t"}
    for permission in ("create", "write", "rename", "unlink"):
        assert policy.allows(MOUNT, "var_run_t", "file", permission)
    assert policy.allows(MOUNT, "var_run_t", "dir", "rmdir")
    assert written(MOUNT, "dir") == own | {"var_run_t", "httpd_sys_content_t"}
    # The list of what it has made immutable.
    assert written(MOUNT, "lnk_file") == {"wna_var_lib_t", "var_run_t"}
    for domain in DOMAINS:
        for target in ("wna_etc_t", "wna_secret_t", "etc_t", "bin_t", "wna_exec_t",
                       "httpd_sys_content_t"):
            assert not policy.allows(domain, target, "file", "write"), (domain, target)
        assert not [rule for rule in policy.rules(domain)
                    if rule.kind in FILES and rule.permissions & {"relabelfrom", "relabelto"}]


def test_mounting(policy: Policy) -> None:
    """Only the helpers mount; the keeper moves a mount to its place, and detaches one."""
    assert policy.targets(MOUNT, "mounton", "dir") == {"httpd_sys_content_t", "root_t"}
    assert not policy.targets(SERVICES, "mounton", "dir", "file")
    for domain in DOMAINS:
        assert not [rule for rule in policy.rules(domain) if rule.kind == "filesystem" and
                    rule.permissions & {"mount", "remount"}]
    assert policy.allows(MOUNT, "nfs_t", "filesystem", "unmount")
    assert not policy.allows(SERVICES, "nfs_t", "filesystem", "unmount")
    assert policy.allows("mount_t", "nfs_t", "filesystem", "mount")
    assert policy.allows("mount_t", "wna_run_t", "dir", "mounton")
    # The immutable flag is an attribute of the directory.
    assert policy.allows(MOUNT, "httpd_sys_content_t", "dir", "setattr")
    assert not policy.allows(SERVICES, "httpd_sys_content_t", "dir", "setattr")


def test_the_probe_reaches_the_file_system(policy: Policy) -> None:
    assert policy.allows(SERVICES, "nfs_t", "filesystem", "getattr")
    assert policy.allows(SERVICES, "nfs_t", "dir", "search")
    assert policy.allows(SERVICES, "nfs_t", "file", "read")
    assert not policy.allows(SERVICES, "nfs_t", "file", "write")
    assert policy.allows(SERVICES, MOUNT, "unix_stream_socket", "read")


def test_what_ends_connections(policy: Policy) -> None:
    """wna-sockets has one capability, and reads the configuration and the hub."""
    sockets = "wna_sockets_t"
    assert ("wna_sockets_exec_t", sockets, "") in policy.transitions("init_t")
    assert policy.attributes(sockets) <= {"domain", "daemon"}
    assert policy.targets(sockets, "entrypoint", "file") == {"wna_sockets_exec_t"}
    assert policy.allows("init_t", sockets, "process2", "nnp_transition")
    assert capabilities(sockets, policy) == {"net_admin"}
    assert policy.allows(sockets, sockets, "netlink_tcpdiag_socket", "nlmsg_write")
    assert not policy.allows(SERVICES, SERVICES, "netlink_tcpdiag_socket", "nlmsg_write")
    assert policy.allows(sockets, SERVICES, "unix_stream_socket", "connectto")
    assert policy.allows(sockets, "wna_run_t", "file", "map")
    for target in ("wna_run_t", "wna_secret_t", "wna_var_lib_t", "nfs_t", "etc_t"):
        assert not policy.allows(sockets, target, "file", "write"), target
    assert not policy.allows(sockets, "wna_secret_t", "file", "read")
    assert not policy.allows(sockets, "mysqld_port_t", "tcp_socket", "name_connect")
    assert not [rule for rule in policy.rules(sockets) if "ptrace" in rule.permissions]


def executables() -> set[str]:
    """Of agent/CMakeLists.txt, but for the two that are for people and their scripts."""
    found = set(re.findall(r"^wna_role\((\S+) ", (ROOT / "agent/CMakeLists.txt").read_text(), re.M))
    assert {"wnactl", "wna-hooks"} < found
    return found - {"wnactl", "wna-hooks"}


def test_every_file_has_a_label(module: Path, folder: Path, policy: Policy) -> None:
    contexts = folder / "contexts"
    said("semodule_unpackage", str(module), str(folder / "unpacked"), str(contexts))
    wanted = {f"/usr/libexec/web-node-agent/{name}": "wna_exec_t" for name in executables()}
    wanted["/usr/libexec/web-node-agent/wna-sockets"] = "wna_sockets_exec_t"
    unlabelled = {"/usr/bin/wnactl", "/usr/libexec/web-node-agent/wna-hooks",
                  "/usr/libexec/web-node-agent/database/wna-database"}
    wanted |= {
        "/usr/libexec/web-node-agent/wna-mount": "wna_mount_exec_t",
        "/etc/web-node-agent": "wna_etc_t",
        "/etc/web-node-agent/agent.conf.d/50-database.conf": "wna_etc_t",
        "/etc/web-node-agent/rds-ca.pem": "wna_etc_t",
        "/etc/web-node-agent/db.password": "wna_secret_t",
        "/etc/web-node-agent/db.password.7": "wna_secret_t",
        "/etc/web-node-agent/aws-credentials": "wna_secret_t",
        "/run/web-node-agent/config": "wna_run_t",
        "/run/web-node-agent/rds/rds.json": "wna_run_t",
        "/var/lib/web-node-agent/cloud": "wna_var_lib_t",
    }
    for path, label in wanted.items():
        kind = "dir" if Path(path).name in ("web-node-agent", "cloud") else "file"
        found = said("matchpathcon", "-m", kind, "-n", "-f", str(contexts), path).strip()
        assert found == f"system_u:object_r:{label}:s0", path
    labels = set(re.findall(r"object_r:(\w+)", contexts.read_text()))
    # A label that the policy does not know would be refused when the module is installed.
    assert labels <= policy.types()
    assert policy.is_in("wna_run_t", "pidfile")  # systemd may make the hub there
    for path in unlabelled:
        assert "<<none>>" in said("matchpathcon", "-m", "file", "-n", "-f", str(contexts), path)
