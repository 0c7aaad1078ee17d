/*
 * The shapes of what the metadata service says, one question each. Pure; texts
 * are NUL-terminated. After the EC2 User Guide's "Instance metadata categories"
 * and the patterns of the services' API references. They are as strict as can
 * be without naming what AWS may add (types, states). Regions and groups, which
 * configuration gives as well, are in aws_name.h.
 */
#ifndef CLOUD_SHAPE_H
#define CLOUD_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

bool shape_instance_id(const char *text); /* i- and 8 or 17 hexadecimal digits */
bool shape_image_id(const char *text);    /* ami- */
bool shape_vpc_id(const char *text);
bool shape_subnet_id(const char *text);
bool shape_instance_type(const char *text); /* "m5.large", "u-6tb1.112xlarge" */
bool shape_ipv4(const char *text);
bool shape_mac(const char *text);          /* "0e:49:61:0f:c3:11" */
bool shape_zone(const char *text);         /* "ap-northeast-2a", "us-west-2-lax-1a" */
bool shape_zone_id(const char *text);      /* "apne2-az1" */
bool shape_partition(const char *text);    /* "aws", "aws-cn" */
bool shape_domain(const char *text);       /* "amazonaws.com" */
bool shape_life_cycle(const char *text);   /* "on-demand", "spot", "capacity-block" */
bool shape_target_state(const char *text); /* "InService", "Warmed:Running" */
bool shape_role(const char *text);         /* IAM role name, 1..64 */
bool shape_tag_key(const char *text);      /* as allowed for tags in the metadata, 1..128 */

/*
 * Makes a body a text: without the line end that may close it, not empty, at
 * most size - 1 bytes, without a NUL in it. False leaves *ret as it was.
 */
bool shape_text(const char *body, size_t len, char *ret, size_t size);

#endif
