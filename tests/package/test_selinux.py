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

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "packaging" / "selinux"
SUPERVISOR, MOUNT, WORKER = DOMAINS = ("wna_t", "wna_mount_t", "wna_worker_t")
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
    unit = (ROOT / "packaging/systemd/web-node-agent.service").read_text()
    return {name.lower() for line in re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.M)
            for name in re.findall(r"CAP_(\w+)", line)}


# What the base policy promises (neverallow) holds with the module, and is looked at: the same
# module with one rule too many is refused.

@pytest.mark.parametrize("target, refused", [("etc_t", False), ("shadow_t", True)])
def test_promises_of_the_base(module: Path, folder: Path, target: str, refused: bool) -> None:
    more = folder / "more.te"
    more.write_text(f"module more 1.0;\n"
                    f"require {{ type wna_worker_t, {target}; class file read; }}\n"
                    f"allow wna_worker_t {target}:file read;\n")
    said("checkmodule", "-M", "-m", "-o", str(more.with_suffix(".mod")), str(more))
    said("semodule_package", "-o", str(more.with_suffix(".pp")), "-m",
         str(more.with_suffix(".mod")))
    done = expand([*unpacked(["base"], folder), module, more.with_suffix(".pp")],
                  folder / "promises")
    assert (done.returncode != 0) == refused, done.stderr
    assert ("neverallow violated by allow wna_worker_t shadow_t" in done.stderr) == refused


def test_grammar_of_what_is_for_fedora(module: Path, folder: Path) -> None:
    """With Debian's interfaces under Fedora's names: more cannot be compiled here."""
    source = folder / "source"
    shutil.copytree(SOURCE, source)
    rules, interfaces = source / f"{MODULE}.te", source / f"{MODULE}.if"
    text = rules.read_text()
    assert text.count("ifdef(`files_runtime_file',") == 1
    rules.write_text(text.replace("ifdef(`files_runtime_file',", "ifdef(`not_in_fedora',"))
    interfaces.write_text(interfaces.read_text() + "".join(
        f"interface(`files_pid_{what}',`\n\tfiles_runtime_{what}($*)\n')\n"
        for what in ("file", "filetrans")))
    used = build(source, folder / "fedora", "DISTRO=redhat").read_bytes()
    assert b"unconfined_service_t" in used
    assert b"unconfined_service_t" not in module.read_bytes()


def test_is_not_unconfined(policy: Policy) -> None:
    for domain in DOMAINS:
        assert policy.attributes(domain) <= {"domain", "daemon"}, domain
    # Domains that are, have attributes that say so.
    assert {a for a in policy.attributes("initrc_t") if "unconfined" in a}
    for text in (file.read_text() for file in SOURCE.iterdir()):
        assert not re.search(r"^\s*unconfined_domain|self:capability2? \*|^permissive", text, re.M)
    assert "Permissive Types: 0" in policy.inventory


def test_who_becomes_whom(policy: Policy) -> None:
    assert ("wna_exec_t", SUPERVISOR, "") in policy.transitions("init_t")
    assert policy.transitions(SUPERVISOR) == {
        ("wna_mount_exec_t", MOUNT, ""), ("wna_worker_exec_t", WORKER, ""),
        ("wna_hook_exec_t", "initrc_t", "wna_run_hooks:True")}
    assert policy.transitions(MOUNT) == {("mount_exec_t", "mount_t", "")}
    assert policy.transitions(WORKER) == set()
    may = {domain: {rule.target for rule in policy.rules(domain) if rule.kind == "process" and
                    rule.permissions & {"transition", "dyntransition"}} for domain in DOMAINS}
    assert may == {SUPERVISOR: {MOUNT, WORKER, "initrc_t"}, MOUNT: {"mount_t"}, WORKER: set()}


def test_entrances(policy: Policy) -> None:
    for domain, executable in zip(DOMAINS, ("wna_exec_t", "wna_mount_exec_t",
                                            "wna_worker_exec_t")):
        assert policy.targets(domain, "entrypoint", "file") == {executable}


def test_workers_start_with_no_new_privs(policy: Policy) -> None:
    """Which needs a permission of its own, and the policy to know of it."""
    assert "nnp_nosuid_transition" in policy.inventory
    assert policy.allows(SUPERVISOR, WORKER, "process2", "nnp_transition")
    assert not policy.allows(SUPERVISOR, MOUNT, "process2", "nnp_transition")
    assert not policy.allows(MOUNT, "mount_t", "process2", "nnp_transition")


def test_limits_are_those_of_the_supervisor(policy: Policy) -> None:
    for child in (MOUNT, WORKER):
        assert policy.allows(SUPERVISOR, child, "process", "rlimitinh")
        assert policy.allows(SUPERVISOR, child, "process", "sigkill")
        assert not policy.allows(child, SUPERVISOR, "process", "sigkill")
        assert not policy.allows(SUPERVISOR, child, "process", "noatsecure")
    assert policy.allows(SUPERVISOR, "mount_t", "process", "sigkill")
    assert not policy.allows(WORKER, "mount_t", "process", "sigkill")


def test_what_is_executed(policy: Policy) -> None:
    executed = {domain: {rule.target for rule in policy.rules(domain) if rule.kind == "file" and
                         "execute" in rule.permissions} - LIBRARIES for domain in DOMAINS}
    assert executed[WORKER] == {"wna_worker_exec_t"}
    assert executed[MOUNT] == {"wna_mount_exec_t", "mount_exec_t"}
    assert executed[SUPERVISOR] == {"wna_exec_t", "wna_mount_exec_t", "wna_worker_exec_t",
                                    "wna_hook_exec_t"}
    for domain in DOMAINS:
        for program in ("shell_exec_t", "bin_t"):
            assert not policy.allows(domain, program, "file", "execute"), (domain, program)
        assert not [rule for rule in policy.rules(domain)
                    if "execute_no_trans" in rule.permissions]
    # Where hooks run, there is a shell.
    assert policy.allows("initrc_t", "shell_exec_t", "file", "execute")


def test_hooks_can_be_switched_off(policy: Policy) -> None:
    assert "bool wna_run_hooks true;" in policy.inventory
    for target, kind, permission in (("wna_hook_exec_t", "file", "execute"),
                                     ("initrc_t", "process", "transition")):
        rules = policy.allows(SUPERVISOR, target, kind, permission)
        assert rules and {rule.only_if for rule in rules} == {"wna_run_hooks:True"}


def test_capabilities(policy: Policy) -> None:
    assert capabilities(WORKER, policy) == set()
    own = {"sys_admin", "linux_immutable"}
    # ipc_lock is for the helper's proxy, in mount_t.
    assert capabilities(SUPERVISOR, policy) == unit_capabilities() - own - {"ipc_lock"}
    assert capabilities(MOUNT, policy) == own | {"dac_override", "fowner", "kill"}
    roles = (ROOT / "agent/supervisor/roles.c").read_text()
    macro = roles[roles.index("#define MOUNT_CAPS"):roles.index("static const struct role_info")]
    assert capabilities(MOUNT, policy) <= {name.lower() for name in
                                           re.findall(r"CAP\((\w+)\)", macro)}


def test_nobody_traces_and_all_look(policy: Policy) -> None:
    """Reading /proc/PID/exe is a read of the other's files."""
    for domain in DOMAINS:
        assert not [rule for rule in policy.rules(domain) if "ptrace" in rule.permissions]
        assert policy.allows(domain, "httpd_t", "file", "read"), domain
    assert [rule for rule in policy.rules("initrc_t") if "ptrace" in rule.permissions]


def test_connections_out(policy: Policy) -> None:
    assert not policy.targets(SUPERVISOR, "name_connect", "tcp_socket")
    assert not policy.targets(MOUNT, "name_connect", "tcp_socket")
    assert not policy.allows(MOUNT, MOUNT, "tcp_socket", "create")
    assert policy.allows(MOUNT, MOUNT, "udp_socket", "create")
    assert policy.targets(WORKER, "name_connect", "tcp_socket") == {
        "http_port_t", "http_cache_port_t", "mysqld_port_t", "dns_port_t"}
    rules = policy.allows(WORKER, "smtp_port_t", "tcp_socket", "name_connect")
    assert rules and {rule.only_if for rule in rules} == {"wna_connect_any:True"}
    assert "bool wna_connect_any false;" in policy.inventory


def test_listening(policy: Policy) -> None:
    default = re.search(r"listen = \S+:(\d+)", (ROOT / "packaging/agent.conf").read_text())
    assert default
    ports = policy.info("--portcon", default[1])
    labels = {m[1] for m in re.finditer(r"portcon tcp \S+ \w+:\w+:(\w+)", ports)}
    assert labels == {"unreserved_port_t"}, ports
    assert policy.targets(SUPERVISOR, "name_bind", "tcp_socket") == {
        "unreserved_port_t", "wna_port_t"}
    for port in ("http_port_t", "ssh_port_t", "mysqld_port_t"):
        assert not policy.allows(SUPERVISOR, port, "tcp_socket", "name_bind")
    for domain in (MOUNT, WORKER):
        assert not policy.targets(domain, "name_bind", "tcp_socket", "udp_socket")
    # The core answers on what wnad opened, and systemd keeps it.
    assert policy.allows(WORKER, SUPERVISOR, "tcp_socket", "accept")
    assert not policy.allows(MOUNT, SUPERVISOR, "tcp_socket", "accept")
    assert policy.allows("init_t", SUPERVISOR, "tcp_socket", "write")


def test_secrets(policy: Policy) -> None:
    for permission in ("open", "read"):
        assert policy.allows(SUPERVISOR, "wna_secret_t", "file", permission)
        assert not policy.allows(MOUNT, "wna_secret_t", "file", permission)
    # As a descriptor that wnad hands over, and not by name.
    assert policy.allows(WORKER, "wna_secret_t", "file", "read")
    assert not policy.allows(WORKER, "wna_secret_t", "file", "open")
    assert policy.allows(WORKER, "wna_etc_t", "file", "open")
    assert policy.allows("httpd_t", "wna_etc_t", "file", "open")
    assert not policy.allows("httpd_t", "wna_secret_t", "file", "read")
    for domain in DOMAINS:
        assert not policy.allows(domain, "shadow_t", "file", "read")


def test_what_is_written(policy: Policy) -> None:
    def written(domain: str, *kinds: str) -> set[str]:
        return {rule.target for rule in policy.rules(domain) if rule.kind in kinds and
                rule.permissions & {"write", "append", "create", "setattr", "unlink", "link",
                                    "rename", "add_name", "remove_name", "relabelto"}}

    own = {"wna_run_t", "wna_var_lib_t"}
    inherited = {"init_tmpfs_t"}
    assert written(WORKER, "file") - {WORKER} == own
    assert written(WORKER, "dir") == own
    assert written(SUPERVISOR, "file") - inherited - {SUPERVISOR} == {"wna_run_t", "wna_tmpfs_t"}
    assert written(SUPERVISOR, "dir") == own | {"var_run_t", "var_lib_t", "tmpfs_t"}
    # The list of what it has made immutable; efs-utils' state files, which it may rename.
    assert written(MOUNT, "file") - {MOUNT} == {"wna_run_t", "wna_var_lib_t", "var_run_t", "sysfs_t"}
    assert policy.allows(MOUNT, "var_run_t", "file", "rename")
    assert not policy.allows(MOUNT, "var_run_t", "file", "write")
    assert written(MOUNT, "dir") == {"wna_run_t", "wna_var_lib_t", "var_run_t", "httpd_sys_content_t"}
    for domain in DOMAINS:
        for target in ("wna_etc_t", "wna_secret_t", "etc_t", "bin_t", "wna_exec_t",
                       "httpd_sys_content_t"):
            assert not policy.allows(domain, target, "file", "write"), (domain, target)
        assert not [rule for rule in policy.rules(domain)
                    if rule.kind in FILES and rule.permissions & {"relabelfrom", "relabelto"}]


def test_mounting(policy: Policy) -> None:
    assert policy.targets(MOUNT, "mounton", "dir") == {"httpd_sys_content_t"}
    for domain in (SUPERVISOR, WORKER):
        assert not policy.targets(domain, "mounton", "dir", "file")
    for domain in DOMAINS:
        assert not [rule for rule in policy.rules(domain) if rule.kind == "filesystem" and
                    rule.permissions & {"mount", "remount", "unmount"}]
    assert policy.allows("mount_t", "nfs_t", "filesystem", "mount")
    # The immutable flag is an attribute of the directory.
    assert policy.allows(MOUNT, "httpd_sys_content_t", "dir", "setattr")
    assert not policy.allows(WORKER, "httpd_sys_content_t", "dir", "setattr")


def test_the_probe_reaches_the_file_system(policy: Policy) -> None:
    assert policy.allows(WORKER, "nfs_t", "filesystem", "getattr")
    assert policy.allows(WORKER, "nfs_t", "dir", "search")
    assert policy.allows(WORKER, "nfs_t", "file", "read")
    assert not policy.allows(WORKER, "nfs_t", "file", "write")
    assert not policy.allows(SUPERVISOR, "nfs_t", "dir", "search")


def executables() -> list[tuple[str, str]]:
    """Of agent/CMakeLists.txt, each with its room."""
    text = (ROOT / "agent/CMakeLists.txt").read_text()
    return re.findall(r"^wna_role\((\S+) (\w+) ", text, re.M)


def test_every_file_has_a_label(module: Path, folder: Path, policy: Policy) -> None:
    contexts = folder / "contexts"
    said("semodule_unpackage", str(module), str(folder / "unpacked"), str(contexts))
    wanted = {f"/usr/libexec/web-node-agent/{name}": "wna_worker_exec_t"
              for name, _ in executables() if name.startswith("wna-")}
    assert len(wanted) == 7
    wanted |= {
        "/usr/libexec/web-node-agent/wna-mount": "wna_mount_exec_t",
        "/usr/libexec/web-node-agent/wna-hook": "wna_hook_exec_t",
        "/usr/sbin/wnad": "wna_exec_t",
        "/etc/web-node-agent": "wna_etc_t",
        "/etc/web-node-agent/agent.conf.d/50-database.conf": "wna_etc_t",
        "/etc/web-node-agent/rds-ca.pem": "wna_etc_t",
        "/etc/web-node-agent/db.password": "wna_secret_t",
        "/etc/web-node-agent/db.password.7": "wna_secret_t",
        "/etc/web-node-agent/aws-credentials": "wna_secret_t",
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
    for path in ("/usr/bin/wnactl", "/usr/libexec/web-node-agent/database/wna-database"):
        assert "<<none>>" in said("matchpathcon", "-m", "file", "-n", "-f", str(contexts), path)
