/*
 * Run by wna-cloud once per window and once per accepted push. May block on the
 * local disk, hence transactions of a few rows. Owns the database connection.
 */
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

#define APPLICATION_ID "1464746321" /* "WNAQ" */
#define SCHEMA_VERSION 1

enum { DAMAGED_MAX = 16 }; /* bad rows removed per visit; the rest next time */

struct store {
	sqlite3 *db;
	int64_t count;
	int64_t sign; /* -1 in memory: ids of two stores must differ */
};

/* Keys of their own, so that ids never return and an id noted as removable can
 * not come to mean another datum. */
static const char schema[] = "CREATE TABLE datum("
                             " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " at_ms INTEGER NOT NULL,"
                             " era INTEGER NOT NULL,"
                             " space TEXT NOT NULL,"
                             " name TEXT NOT NULL,"
                             " dimension INTEGER NOT NULL,"
                             " who TEXT NOT NULL,"
                             " resolution INTEGER NOT NULL,"
                             " samples BLOB NOT NULL);"
                             "CREATE INDEX datum_at ON datum(at_ms);"
                             "CREATE TABLE owner(instance TEXT NOT NULL);"
                             "PRAGMA application_id = " APPLICATION_ID ";"
                             "PRAGMA user_version = 1;";

_Static_assert(SCHEMA_VERSION == 1, "the schema above says so too");

static int store_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	/* A table that is not as expected: somebody else's file. */
	case SQLITE_ERROR:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH: return -EBADMSG;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_READONLY: return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH: return -EACCES;
	case SQLITE_NOMEM: return -ENOMEM;
	default: return -EIO;
	}
}

static int run(struct store *store, const char *sql)
{
	return store_errno(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

static int prepare(struct store *store, const char *sql, sqlite3_stmt **ret)
{
	return store_errno(sqlite3_prepare_v2(store->db, sql, -1, ret, NULL));
}

/* Runs a statement that has been bound; finalizes it. */
static int finish(sqlite3_stmt *stmt)
{
	int r = store_errno(sqlite3_step(stmt));

	sqlite3_finalize(stmt);
	return r;
}

/* A number from a pragma or a count. */
static int ask(struct store *store, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt;
	int r = prepare(store, sql, &stmt);

	if (r < 0)
		return r;
	int code = sqlite3_step(stmt);

	r = store_errno(code);
	if (r == 0 && code == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r;
}

static int store_prepare_file(struct store *store)
{
	int64_t version = 0, id = 0, tables = 0;
	int r = run(store, "PRAGMA locking_mode = EXCLUSIVE");

	/* Looked at before anything is set: what is of a later version stays as it is. */
	if (r == 0)
		r = ask(store, "PRAGMA user_version", &version);
	if (r == 0)
		r = ask(store, "PRAGMA application_id", &id);
	if (r == 0 && id == strtoll(APPLICATION_ID, NULL, 10) && version > SCHEMA_VERSION)
		return -ENOTSUP;
	/* Page size and vacuum mode count only before the first table. */
	if (r == 0)
		r = run(store, "PRAGMA page_size = 1024;"
		               "PRAGMA auto_vacuum = INCREMENTAL;"
		               "PRAGMA cache_size = 32;"
		               "PRAGMA temp_store = MEMORY;"
		               "PRAGMA journal_mode = WAL;"
		               "PRAGMA synchronous = NORMAL;"
		               "PRAGMA wal_autocheckpoint = 64;"
		               "PRAGMA journal_size_limit = 262144;"
		               "PRAGMA trusted_schema = OFF;");
	if (r == 0)
		r = ask(store, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return r;
	if (version == 0 && id == 0 && tables == 0) {
		r = run(store, "BEGIN IMMEDIATE");
		if (r == 0)
			r = run(store, schema);
		if (r == 0)
			r = run(store, "COMMIT");
		return r;
	}
	if (version != SCHEMA_VERSION || id != strtoll(APPLICATION_ID, NULL, 10))
		return -EBADMSG;
	return ask(store, "SELECT count(*) FROM datum", &store->count);
}

int store_open(const char *path, struct store **ret)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (store == NULL)
		return -ENOMEM;
	store->sign = path != NULL ? 1 : -1;
	r = store_errno(sqlite3_open_v2(
	        path != NULL ? path : ":memory:", &store->db,
	        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
	if (r == 0) {
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		r = store_prepare_file(store);
	}
	if (r < 0)
		store_close(store);
	else
		*ret = store;
	return r;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	sqlite3_close(store->db);
	free(store);
}

int64_t store_count(const struct store *store)
{
	return store->count;
}

/* Ends a transaction one way or the other; returns what went wrong first. */
static int end(struct store *store, int r)
{
	if (r == 0)
		r = run(store, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(store->db))
		run(store, "ROLLBACK");
	return r;
}

static int add_one(struct store *store, const struct queue_entry *entry)
{
	uint8_t packed[DATUM_PACKED_MAX];
	size_t len = datum_pack(&entry->datum, packed);
	sqlite3_stmt *stmt;
	int r = prepare(store,
	                "INSERT INTO datum(at_ms, era, space, name, dimension, who, resolution,"
	                " samples) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
	                &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, entry->datum.at_ms);
	sqlite3_bind_int64(stmt, 2, entry->era);
	sqlite3_bind_text(stmt, 3, entry->series.space, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 4, entry->series.name, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 5, entry->series.dimension);
	sqlite3_bind_text(stmt, 6, entry->series.who, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 7, entry->series.resolution);
	sqlite3_bind_blob(stmt, 8, packed, (int)len, SQLITE_STATIC);
	return finish(stmt);
}

int store_add(struct store *store, const struct queue_entry *entries, size_t count)
{
	int r = run(store, "BEGIN IMMEDIATE");

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_one(store, &entries[i]);
	r = end(store, r);
	if (r == 0)
		store->count += (int64_t)count;
	return r;
}

int store_remove(struct store *store, const int64_t *ids, size_t count)
{
	int64_t gone = 0;
	int r = run(store, "BEGIN IMMEDIATE");

	for (size_t i = 0; r == 0 && i < count; i++) {
		sqlite3_stmt *stmt;

		r = prepare(store, "DELETE FROM datum WHERE id = ?", &stmt);
		if (r < 0)
			break;
		sqlite3_bind_int64(stmt, 1, ids[i] * store->sign);
		r = finish(stmt);
		gone += r == 0 ? sqlite3_changes(store->db) : 0;
	}
	r = end(store, r);
	if (r < 0)
		return r;
	store->count -= gone;
	/* After an outage the file shrinks again; a few pages at a time. */
	if (store->count == 0 && gone > 0)
		run(store, "PRAGMA incremental_vacuum(256)");
	return 0;
}

static bool take_text(sqlite3_stmt *stmt, int column, char *ret, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return text != NULL && text[0] != '\0' && str_copy(ret, size, (const char *)text);
}

static bool take_row(sqlite3_stmt *stmt, struct queue_entry *ret)
{
	const void *samples = sqlite3_column_blob(stmt, 8);

	ret->datum.at_ms = sqlite3_column_int64(stmt, 1);
	ret->era = sqlite3_column_int64(stmt, 2);
	ret->series.dimension = sqlite3_column_int(stmt, 5);
	ret->series.resolution = sqlite3_column_int(stmt, 7);
	return ret->datum.at_ms >= 0 && ret->series.dimension >= 0 &&
	       ret->series.dimension < CWATCH_DIMENSION_MAX &&
	       (ret->series.resolution == 1 || ret->series.resolution == 60) &&
	       take_text(stmt, 3, ret->series.space, sizeof(ret->series.space)) &&
	       take_text(stmt, 4, ret->series.name, sizeof(ret->series.name)) &&
	       take_text(stmt, 6, ret->series.who, sizeof(ret->series.who)) && samples != NULL &&
	       datum_unpack(samples, (size_t)sqlite3_column_bytes(stmt, 8), &ret->datum);
}

int store_newest(struct store *store, size_t limit, queue_visit *visit, void *arg, int64_t *lost)
{
	int64_t damaged[DAMAGED_MAX];
	size_t damaged_count = 0;
	struct queue_entry entry;
	sqlite3_stmt *stmt;
	int code, r;

	r = prepare(store,
	            "SELECT id, at_ms, era, space, name, dimension, who, resolution, samples"
	            " FROM datum ORDER BY at_ms DESC, id DESC LIMIT ?",
	            &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, (int64_t)limit);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		entry.id = sqlite3_column_int64(stmt, 0) * store->sign;
		if (take_row(stmt, &entry)) {
			if (!visit(arg, &entry))
				break;
		} else if (damaged_count < DAMAGED_MAX) {
			damaged[damaged_count++] = entry.id;
		}
	}
	r = store_errno(code);
	sqlite3_finalize(stmt);
	if (r == 0 && damaged_count > 0) {
		r = store_remove(store, damaged, damaged_count);
		*lost += r == 0 ? (int64_t)damaged_count : 0;
	}
	return r;
}

/* A statement with up to two numbers that removes rows. */
static int remove_where(struct store *store, const char *sql, int64_t a, int64_t b, int64_t *lost)
{
	sqlite3_stmt *stmt;
	int r = prepare(store, sql, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, a);
	if (sqlite3_bind_parameter_count(stmt) > 1)
		sqlite3_bind_int64(stmt, 2, b);
	r = finish(stmt);
	if (r == 0) {
		store->count -= sqlite3_changes(store->db);
		*lost += sqlite3_changes(store->db);
	}
	return r;
}

int store_expire(struct store *store, int64_t oldest_ms, int64_t newest_ms, int64_t *lost)
{
	if (store->count == 0)
		return 0;
	return remove_where(store, "DELETE FROM datum WHERE at_ms < ? OR at_ms > ?", oldest_ms,
	                    newest_ms, lost);
}

int store_trim(struct store *store, int64_t max, int64_t *lost)
{
	if (store->count <= max)
		return 0;
	return remove_where(store,
	                    "DELETE FROM datum WHERE id IN"
	                    " (SELECT id FROM datum ORDER BY at_ms, id LIMIT ?)",
	                    store->count - max, 0, lost);
}

int store_shift(struct store *store, int64_t from, int64_t to, int64_t by_ms)
{
	sqlite3_stmt *stmt;
	int r = prepare(store, "UPDATE datum SET at_ms = at_ms + ?, era = ? WHERE era = ?", &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, by_ms);
	sqlite3_bind_int64(stmt, 2, to);
	sqlite3_bind_int64(stmt, 3, from);
	return finish(stmt);
}

int store_probe(struct store *store)
{
	return run(store, "PRAGMA user_version = 1");
}

int store_claim(struct store *store, const char *owner, int64_t *lost)
{
	int64_t same = 0, any = 0, dropped = 0;
	sqlite3_stmt *stmt;
	int r = prepare(store, "SELECT count(*), total(instance = ?) FROM owner", &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_text(stmt, 1, owner, -1, SQLITE_STATIC);
	int code = sqlite3_step(stmt);

	r = store_errno(code);
	if (code == SQLITE_ROW) {
		any = sqlite3_column_int64(stmt, 0);
		same = sqlite3_column_int64(stmt, 1);
	}
	sqlite3_finalize(stmt);
	if (r < 0 || (any == 1 && same == 1))
		return r;
	r = run(store, "BEGIN IMMEDIATE");
	if (r == 0 && any > 0)
		r = remove_where(store, "DELETE FROM datum WHERE ? = 0", 0, 0, &dropped);
	if (r == 0)
		r = run(store, "DELETE FROM owner");
	if (r == 0)
		r = prepare(store, "INSERT INTO owner(instance) VALUES(?)", &stmt);
	if (r == 0) {
		sqlite3_bind_text(stmt, 1, owner, -1, SQLITE_STATIC);
		r = finish(stmt);
	}
	r = end(store, r);
	if (r < 0)
		store->count += dropped;
	else
		*lost += dropped;
	return r;
}
