"""The properties that the lab accepts and ignores, with reasons. All others are either implemented
or refused with their line, also if only one value is implemented."""
from __future__ import annotations

_NAMES = "names for people and bills; the lab shows logical names"
_DISKS = "instances of the lab have no disks of their own"
_BACKUPS = "there are no backups and no snapshots"
_IMAGE = "the lab has one image, which stands for Amazon Linux 2023"
_KEY = "the lab has one key pair; that all instances have the same one is checked"
_MARIADB = "the server is MariaDB, whatever version of MySQL is asked for"
_POLICY = "of a role's policies only what they allow counts; that no name is used twice is checked"
_COSTS = "a matter of price and speed"

WITHOUT_EFFECT: dict[str, dict[str, str]] = {
    "AWS::CloudFormation::WaitCondition": {"Timeout": "`up` has its own"},
    "AWS::EC2::VPC": {"Tags": _NAMES},
    "AWS::EC2::Subnet": {"Tags": _NAMES},
    "AWS::EC2::InternetGateway": {"Tags": _NAMES},
    "AWS::EC2::EIP": {"Tags": _NAMES},
    "AWS::EC2::NatGateway": {"Tags": _NAMES},
    "AWS::EC2::RouteTable": {"Tags": _NAMES},
    "AWS::EC2::NetworkAcl": {"Tags": _NAMES},
    "AWS::EC2::SecurityGroup": {"Tags": _NAMES, "GroupName": _NAMES, "GroupDescription": _NAMES},
    "AWS::EC2::SecurityGroup.SecurityGroupIngress": {"Description": _NAMES},
    "AWS::EC2::SecurityGroup.SecurityGroupEgress": {"Description": _NAMES},
    "AWS::EC2::SecurityGroupIngress": {"Description": _NAMES},
    "AWS::EC2::SecurityGroupEgress": {"Description": _NAMES},
    "AWS::EC2::VPCEndpoint": {
        "Tags": _NAMES,
        "PolicyDocument": "a gateway endpoint's: S3's stand-in is a web server without rights (an "
                          "interface endpoint's is held against each request)"},
    "AWS::EC2::Instance": {
        "Tags": _NAMES, "ImageId": _IMAGE, "KeyName": _KEY,
        "BlockDeviceMappings": _DISKS, "EbsOptimized": _DISKS,
        "PropagateTagsToVolumeOnCreation": _DISKS,
        "CreditSpecification": "a share of the machine is set by control group",
        "Monitoring": "AWS's own metrics of instances are not made",
        "DisableApiTermination": "nobody terminates bastions here"},
    "AWS::EC2::LaunchTemplate": {"LaunchTemplateName": _NAMES, "TagSpecifications": _NAMES,
                                 "VersionDescription": _NAMES},
    "AWS::EC2::LaunchTemplate.LaunchTemplateData": {
        "KeyName": _KEY,
        "BlockDeviceMappings": _DISKS, "EbsOptimized": _DISKS,
        "CreditSpecification": "a share of the machine is set by control group",
        "Monitoring": "AWS's own metrics of instances are not made"},
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {"Tags": _NAMES},
    "AWS::ElasticLoadBalancingV2::TargetGroup": {"Tags": _NAMES},
    "AWS::AutoScaling::AutoScalingGroup": {
        "MetricsCollection": "the group's own metrics are not made"},
    "AWS::AutoScaling::AutoScalingGroup.LifecycleHookSpecificationList": {
        "NotificationMetadata": "nobody is notified of a hook"},
    "AWS::RDS::DBInstance": {
        "Tags": _NAMES, "EngineVersion": _MARIADB, "DBInstanceClass": _COSTS, "StorageType": _COSTS,
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
        "Family": _MARIADB},
    "AWS::EFS::FileSystem": {
        "FileSystemTags": _NAMES, "Encrypted": "data at rest is not looked at",
        "FileSystemPolicy": "neither the kernel's NFS server nor the stand-in has IAM or TLS",
        "PerformanceMode": _COSTS, "ThroughputMode": _COSTS,
        "LifecyclePolicies": _COSTS, "KmsKeyId": "data at rest is not looked at",
        "BackupPolicy": _BACKUPS,
        "BypassPolicyLockoutSafetyCheck": "policies can be changed at any time"},
    "AWS::IAM::Role": {"Tags": _NAMES, "Description": _NAMES},
    "AWS::IAM::Role.Policies": {"PolicyName": _POLICY},
    "AWS::IAM::Policy": {"PolicyName": _POLICY},
    "AWS::IAM::InstanceProfile": {"Path": _NAMES, "InstanceProfileName": _NAMES},
}

# Attributes of the load balancer and of target groups, by their keys.
ATTRIBUTES_WITHOUT_EFFECT: dict[str, dict[str, str]] = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {
        "deletion_protection.enabled": "the lab is there to be thrown away",
        "routing.http2.enabled": "an ALB speaks it on HTTPS listeners only, and the lab has none",
        "access_logs.s3.enabled": "logs are files of the build folder"},
    "AWS::ElasticLoadBalancingV2::TargetGroup": {},
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
