"""Names and addresses of the lab's network: those of the seed system."""
from __future__ import annotations

REGION = "ap-northeast-2"
DOMAIN = "amazonaws.com"

RESOLVER = "10.16.0.2"
BALANCER = "10.16.1.20"      # where the ALB's checks come from
CLOUDWATCH = "10.16.2.80"    # the interface endpoint: moto
SCRIPTED = "10.16.2.81"      # the scripted AWS
LIAR = "10.16.0.3"           # the DNS server that lies
WEB = ("10.16.3.10", "10.16.4.10")
ZONES = ("ap-northeast-2a", "ap-northeast-2c")
DATABASES = ("10.16.6.137", "10.16.5.149")
MOUNT_TARGET = "10.16.3.250"  # EFS, zone a
METADATA = "169.254.169.254"

FILE_SYSTEM = "fs-0123456789abcdef0"
GROUP = "practice-web"
EFS_HOST = f"{FILE_SYSTEM}.efs.{REGION}.{DOMAIN}"
CLOUDWATCH_HOST = f"monitoring.{REGION}.{DOMAIN}"
DATABASE_HOST = f"practice.c9akciq32rrw.{REGION}.rds.{DOMAIN}"
