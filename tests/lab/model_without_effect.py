"""What a template may say that the lab passes over: a list for the reader. (Values that
are read into the model and not played are in README.md, "What differs from AWS".)

Type, or type and path of the part → property → why.
"""
from __future__ import annotations

_NAMES = "names for people and bills; the lab shows logical names"
_DISKS = "instances of the lab have no disks of their own"
_BACKUPS = "there are no backups and no snapshots"
_COSTS = "a matter of price and speed"

WITHOUT_EFFECT: dict[str, dict[str, str]] = {
    "AWS::EC2::VPC": {"Tags": _NAMES},
    "AWS::EC2::Subnet": {"Tags": _NAMES},
    "AWS::EC2::InternetGateway": {"Tags": _NAMES},
    "AWS::EC2::EIP": {"Tags": _NAMES, "Domain": "every address is a VPC's"},
    "AWS::EC2::NatGateway": {"Tags": _NAMES},
    "AWS::EC2::RouteTable": {"Tags": _NAMES},
    "AWS::EC2::NetworkAcl": {"Tags": _NAMES},
    "AWS::EC2::SecurityGroup": {"Tags": _NAMES, "GroupName": _NAMES, "GroupDescription": _NAMES},
    "AWS::EC2::SecurityGroup.SecurityGroupIngress": {"Description": _NAMES},
    "AWS::EC2::SecurityGroup.SecurityGroupEgress": {"Description": _NAMES},
    "AWS::EC2::SecurityGroupIngress": {"Description": _NAMES},
    "AWS::EC2::SecurityGroupEgress": {"Description": _NAMES},
    "AWS::EC2::VPCEndpoint": {"Tags": _NAMES},
    "AWS::EC2::Instance": {
        "BlockDeviceMappings": _DISKS, "EbsOptimized": _DISKS,
        "PropagateTagsToVolumeOnCreation": _DISKS,
        "CreditSpecification": "a share of the machine is set by control group",
        "Monitoring": "AWS's own metrics of instances are not made",
        "DisableApiTermination": "nobody terminates bastions here"},
    "AWS::EC2::LaunchTemplate": {"LaunchTemplateName": _NAMES, "TagSpecifications": _NAMES,
                                 "VersionDescription": _NAMES},
    "AWS::EC2::LaunchTemplate.LaunchTemplateData": {
        "BlockDeviceMappings": _DISKS, "EbsOptimized": _DISKS,
        "CreditSpecification": "a share of the machine is set by control group",
        "Monitoring": "AWS's own metrics of instances are not made"},
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {"Tags": _NAMES},
    "AWS::ElasticLoadBalancingV2::TargetGroup": {"Tags": _NAMES},
    "AWS::AutoScaling::AutoScalingGroup": {
        "MetricsCollection": "the group's own metrics are not made"},
    "AWS::RDS::DBInstance": {
        "Tags": _NAMES, "DBInstanceClass": _COSTS, "StorageType": _COSTS,
        "AllocatedStorage": _COSTS, "MaxAllocatedStorage": _COSTS, "Iops": _COSTS,
        "StorageThroughput": _COSTS, "StorageEncrypted": "data at rest is not looked at",
        "KmsKeyId": "data at rest is not looked at",
        "BackupRetentionPeriod": _BACKUPS, "PreferredBackupWindow": _BACKUPS,
        "DeleteAutomatedBackups": _BACKUPS, "CopyTagsToSnapshot": _BACKUPS,
        "PreferredMaintenanceWindow": "there is no maintenance",
        "AutoMinorVersionUpgrade": "there is no maintenance",
        "AllowMajorVersionUpgrade": "there is no maintenance",
        "DeletionProtection": "the lab is there to be thrown away",
        "CACertificateIdentifier": "the server's certificate is signed by the lab's own authority",
        "EnableCloudwatchLogsExports": "logs are files of the build folder",
        "EnablePerformanceInsights": "not made", "MonitoringInterval": "not made"},
    "AWS::RDS::DBSubnetGroup": {"Tags": _NAMES, "DBSubnetGroupName": _NAMES,
                                "DBSubnetGroupDescription": _NAMES},
    "AWS::RDS::DBParameterGroup": {
        "Tags": _NAMES, "DBParameterGroupName": _NAMES, "Description": _NAMES,
        "Family": "the server is MariaDB, whatever version of MySQL is asked for"},
    "AWS::EFS::FileSystem": {
        "FileSystemTags": _NAMES, "PerformanceMode": _COSTS, "ThroughputMode": _COSTS,
        "LifecyclePolicies": _COSTS, "KmsKeyId": "data at rest is not looked at",
        "BackupPolicy": _BACKUPS,
        "BypassPolicyLockoutSafetyCheck": "policies can be changed at any time"},
    "AWS::IAM::Role": {"Tags": _NAMES, "Description": _NAMES},
}

# Attributes of the load balancer and of target groups, by their keys.
ATTRIBUTES_WITHOUT_EFFECT: dict[str, str] = {
    "deletion_protection.enabled": "the lab is there to be thrown away",
    "routing.http.drop_invalid_header_fields.enabled": "HAProxy refuses invalid headers by itself",
    "routing.http2.enabled": "the listener speaks HTTP/1.1",
    "access_logs.s3.enabled": "logs are files of the build folder",
    "stickiness.enabled": "read only to see that it is off",
}

# Attributes of any resource, beside its properties.
RESOURCE_ATTRIBUTES_WITHOUT_EFFECT: dict[str, str] = {
    "DeletionPolicy": "nothing of the lab outlives it",
    "UpdateReplacePolicy": "nothing of the lab outlives it",
    "UpdatePolicy": "there are no rolling updates: changed rules are put in force at once, all "
                    "other changes need a new lab",
    "DependsOn": "checked; the lab has an order of its own",
    "Metadata": "for people and tools",
}
