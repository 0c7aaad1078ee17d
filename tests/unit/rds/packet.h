/* Builds DNS answers by hand: every field can be made wrong. */
#ifndef TEST_PACKET_H
#define TEST_PACKET_H

#include <stdint.h>
#include <string.h>

struct packet {
	uint8_t data[4096];
	size_t len;
};

static inline void packet_u16(struct packet *p, unsigned value)
{
	p->data[p->len++] = (uint8_t)(value >> 8);
	p->data[p->len++] = (uint8_t)value;
}

static inline void packet_u32(struct packet *p, uint32_t value)
{
	packet_u16(p, value >> 16);
	packet_u16(p, value & 0xffff);
}

/* "db.rds.test" as labels, without compression. */
static inline void packet_name(struct packet *p, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		p->data[p->len++] = (uint8_t)len;
		memcpy(p->data + p->len, name, len);
		p->len += len;
		name += len + (name[len] == '.');
	}
	p->data[p->len++] = 0;
}

/* A pointer to the question's name, which is always at 12. */
static inline void packet_pointer(struct packet *p, unsigned to)
{
	packet_u16(p, 0xc000 | to);
}

static inline void packet_head(struct packet *p, unsigned flags, unsigned answers, const char *name,
                               unsigned type)
{
	p->len = 0;
	packet_u16(p, 0x1234);
	packet_u16(p, flags);
	packet_u16(p, 1);
	packet_u16(p, answers);
	packet_u16(p, 0);
	packet_u16(p, 0);
	packet_name(p, name);
	packet_u16(p, type);
	packet_u16(p, 1);
}

/* Type, class, TTL and length of a record, after its owner. */
static inline void packet_record(struct packet *p, unsigned type, unsigned class, uint32_t ttl,
                                 unsigned len)
{
	packet_u16(p, type);
	packet_u16(p, class);
	packet_u32(p, ttl);
	packet_u16(p, len);
}

static inline void packet_a(struct packet *p, const char *owner, uint32_t ttl, uint32_t addr)
{
	packet_name(p, owner);
	packet_record(p, 1, 1, ttl, 4);
	packet_u32(p, addr);
}

static inline void packet_cname(struct packet *p, const char *owner, uint32_t ttl,
                                const char *target)
{
	packet_name(p, owner);
	packet_record(p, 5, 1, ttl, (unsigned)strlen(target) + 2);
	packet_name(p, target);
}

#endif
