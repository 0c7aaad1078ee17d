"""The region's service endpoints: monitoring (CloudWatch), autoscaling, secretsmanager, sts, ec2
and iam in one process, moto behind TLS. The request's signing name selects the service, like the
host name. moto verifies every request's signature. A principal's statements limit its rights:
those of the template's roles word for word, with Action, Resource and Condition (model/policy.py),
and those of the endpoint of the request (aws/authorizing.py). Real: wire protocols, signatures,
sessions. A stand-in: the services' behaviour; aws/in_moto.py lists the changes to moto.

moto names an action after the signing name, monitoring:PutMetricData; AWS's policies say
cloudwatch:PutMetricData: translated (SERVICES).

Principals: the template's roles, assumed once for each instance as EC2 does it; the role
AWSServiceRoleForAutoScaling for the controller; the user "admin", for the user of the lab, with
all rights.

Arguments: control socket, address, certificate, key, plan (a JSON file: account, region, roles,
secret, group). Control: see Server.do()."""
from __future__ import annotations

import datetime
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from parts import control, moto_common
from lab.model import policy
from . import in_moto, refreshing
from .authorizing import out_of_time, refusal
from .sessions import Sessions

from moto import settings
from moto.autoscaling.models import autoscaling_backends
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import _RESTError
from moto.iam.access_control import IAMRequest
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sts.models import sts_backends

SERVICES = {"monitoring": "cloudwatch"}  # signing name → prefix of actions
ENDLESS_S = 12 * 3600  # the longest duration that moto accepts; moto expires no session
ADMIN = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
LOG_ENTRIES = 1  # nothing reads the log of requests


class Expired(_RESTError):
    """STS API Reference, "Common errors"."""
    code = 403

    def __init__(self) -> None:
        super().__init__("ExpiredToken", "The security token included in the request is expired")


class OutOfTime(_RESTError):
    code = 400

    def __init__(self, why: str) -> None:
        super().__init__("InvalidSignatureException", why)


class Denied(_RESTError):
    code = 403

    def __init__(self, why: str) -> None:
        super().__init__("AccessDenied", why)


class Account:
    """Makes the account directly in moto's backends: no request can be signed yet."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.id, self.region = plan["account"], plan["region"]
        self._iam = iam_backends[self.id]["aws"]
        self._statements: dict[str, list[dict[str, Any]]] = {"user/admin": ADMIN}
        self._iam.create_user(region_name=self.region, user_name="admin")
        self._iam.put_user_policy("admin", "all", self._document(ADMIN))
        key = self._iam.create_access_key("admin")
        self.users = {"admin": {"access_key": key.access_key_id, "secret": key.secret_access_key,
                                "token": ""}}
        self._known: set[str] = set()
        self.sessions = Sessions()
        self.put_roles(plan["roles"])

    @staticmethod
    def _document(statements: list[dict[str, Any]]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": statements})

    def put_roles(self, roles: dict[str, dict[str, Any]]) -> None:
        """Makes roles or replaces their rights, at once also for existing sessions."""
        for name, role in roles.items():
            policy.check(role["statements"])
            if name not in self._known:
                trust = [{"Effect": "Allow", "Principal": {"Service": role["trusted"]},
                          "Action": "sts:AssumeRole"}]
                self._iam.create_role(
                    role_name=name, assume_role_policy_document=self._document(trust), path="/",
                    permissions_boundary=None, description="", tags=[],
                    max_session_duration="43200")
                self._known.add(name)
            self._iam.put_role_policy(name, "stack", self._document(role["statements"]))
            self._statements[f"assumed-role/{name}"] = role["statements"]

    def assume(self, role: str, session: str, life_s: float | None) -> dict[str, str]:
        """Session credentials. Their expiry is checked here: moto does not check it."""
        if role not in self._known:
            raise KeyError(f"no role {role}")
        made = sts_backends[self.id]["aws"].assume_role(
            region_name=self.region, role_session_name=session,
            role_arn=f"arn:aws:iam::{self.id}:role/{role}", policy=None,
            duration=int(life_s or ENDLESS_S), external_id=None)
        if life_s is not None:
            self.sessions.begin(made.access_key_id, time.time(), life_s)
        return {"access_key": made.access_key_id, "secret": made.secret_access_key,
                "token": made.session_token}

    def statements(self, principal: str) -> list[dict[str, Any]]:
        """The statements of an ARN …:assumed-role/ROLE/SESSION or …:user/NAME."""
        name = "/".join(principal.split(":", 5)[5].split("/")[:2])
        return self._statements.get(name, [])


class Secret:
    """RDS's managed secret: the stack's ARN, username and password only (RDS User Guide, "Password
    management with Amazon RDS and AWS Secrets Manager")."""

    def __init__(self, account: Account, arn: str, user: str, password: str) -> None:
        self._user, self._arn = user, arn
        self._backend = secretsmanager_backends[account.id][account.region]
        self._name = arn.split(":secret:")[1][:-7]  # without the dash and six random letters
        self._backend.create_secret(
            name=self._name, secret_string=self._text(password), secret_binary=None,
            description="Secret managed by RDS", tags=[], kms_key_id=None,
            client_request_token=str(uuid.uuid4()), replica_regions=[], force_overwrite=False)
        self._backend.secrets[self._name].arn = arn

    def _text(self, password: str) -> str:
        return json.dumps({"username": self._user, "password": password})

    def rotate(self, password: str) -> str:
        """The new version becomes AWSCURRENT, the old one AWSPREVIOUS; returns the new id."""
        version = str(uuid.uuid4())
        self._backend.put_secret_value(
            secret_id=self._name, secret_string=self._text(password), secret_binary=None,
            client_request_token=version, version_stages=["AWSCURRENT"])
        return version

    def arn_of(self, asked: str) -> str:
        return self._arn if asked in (self._arn, self._name, self._arn[:-7]) else asked


class Server:
    def __init__(self, plan: dict[str, Any], address: str, certificate: str, key: str) -> None:
        settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
        in_moto.install()
        refreshing.install()
        self.account = Account(plan)
        self.secret = Secret(self.account, **plan["secret"]) if plan["secret"] else None
        # Backplane address of an endpoint's interface → its statements; None: the default policy.
        # Requests from other addresses came through no endpoint.
        self.endpoints: dict[str, list[dict[str, Any]] | None] = {}
        self.group = in_moto.Group(self.account.id, self.account.region, plan["group"])
        self._authorize_as_iam_does()
        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        self.recorder = moto_common.serve(address, certificate, key, LOG_ENTRIES)

    def _authorize_as_iam_does(self) -> None:
        """moto still verifies the signature; whether the action is allowed is decided here, not by
        moto's policy engine."""
        def authorize(response: Any, resource: str = "*") -> None:
            class Request(IAMRequest):
                def check_action_permitted(self, _: str) -> None:
                    service, action = self._action.split(":", 1)
                    name = f"{SERVICES.get(service, service)}:{action}"
                    principal = self._access_key.arn
                    why = out_of_time(response.headers.get("X-Amz-Date", ""),
                                      datetime.datetime.now(datetime.timezone.utc))
                    if why:
                        raise OutOfTime(why)
                    key = self._access_key.create_credentials().access_key
                    if server.account.sessions.expired(key, time.time()):
                        raise Expired
                    if name == "sts:GetCallerIdentity":  # needs no permission
                        return
                    peer = response.normalized_request.remote_addr
                    why = refusal(server.account.statements(principal),
                                  server.endpoints.get(peer), principal, name,
                                  *server.about(response, service, principal))
                    if why:
                        raise Denied(why)
            response._authenticate_and_authorize_action(Request, resource)

        server = self
        ActionAuthenticatorMixin._authenticate_and_authorize_normal_action = authorize

    def about(self, response: Any, service: str, principal: str) -> tuple[str, dict[str, str]]:
        """The resource's ARN and the condition keys of a request."""
        context = {"aws:securetransport": "true", "aws:principalarn": policy.principal_arn(principal),
                   "aws:principalaccount": principal.split(":")[4],
                   "aws:sourceip": response.normalized_request.remote_addr,
                   "aws:requestedregion": self.account.region}
        resource = "*"
        if service == "monitoring" and (space := response._get_param("Namespace")):
            context["cloudwatch:namespace"] = space
        elif service == "secretsmanager" and (secret := response._get_param("SecretId")):
            resource = self.secret.arn_of(secret) if self.secret else secret
            context["secretsmanager:secretid"] = secret
            if stage := response._get_param("VersionStage"):
                context["secretsmanager:versionstage"] = stage
        elif service == "autoscaling":
            groups = autoscaling_backends[self.account.id][self.account.region].autoscaling_groups
            name = response._get_param("AutoScalingGroupName")
            instance = response._get_param("InstanceId")
            for group in groups.values():
                if group.name == name or any(s.instance.id == instance
                                             for s in group.instance_states):
                    resource = group.arn
        return resource, context

    def do(self, order: dict[str, Any]) -> Any:
        try:
            return {"ok": self._do(order)}
        except Exception as error:  # reported to the caller
            return {"error": f"{type(error).__name__}: {error}"}

    def _do(self, order: dict[str, Any]) -> Any:
        match order["op"]:
            case "assume":  # role, session, lifetime in seconds or null → session credentials
                return self.account.assume(order["role"], order["session"], order["life"])
            case "user":  # name → long-lived keys
                return self.account.users[order["name"]]
            case "roles":
                return self.account.put_roles(order["roles"])
            case "endpoints":
                self.endpoints = order["policies"]
                return None
            case "rotate":
                return self.secret.rotate(order["password"]) if self.secret else None
            case "count":
                return self.recorder.count()
            case "pin":  # the next ids, by kind
                return in_moto.pinned.update(order["ids"])
            case "attributes":
                return self.group.attributes(order["values"])
            case "reserve":
                return self.group.reserve(order["subnet"], order["address"])
            case "launch":
                return self.group.launch(order["subnet"], order["version"])
            case "terminated":
                return self.group.terminated(order["instance"])
            case "sync":
                return self.group.sync(order["state"])
        raise ValueError(f"unknown op {order['op']}")


def main() -> None:
    path, address, certificate, key, plan = sys.argv[1:6]
    server = Server(json.loads(Path(plan).read_text()), address, certificate, key)
    control.serve(path, server.do)


if __name__ == "__main__":
    main()
