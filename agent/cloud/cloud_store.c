/*
 * Run by wna-cloud once per window and once per accepted push. May block on the
 * local disk, hence transactions of a few rows. Owns the database connection.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_send.h"

struct store {
	sqlite3 *db;
	int64_t count;
};

/* Page size and vacuum mode count only before the first table. Ids are not used again: the
 * answer to a request must not remove a datum that came later. */
static const char setup[] = "PRAGMA locking_mode = EXCLUSIVE;"
                            "PRAGMA page_size = 1024;"
                            "PRAGMA auto_vacuum = INCREMENTAL;"
                            "PRAGMA cache_size = 32;"
                            "PRAGMA temp_store = MEMORY;"
                            "PRAGMA journal_mode = WAL;"
                            "PRAGMA synchronous = NORMAL;"
                            "PRAGMA wal_autocheckpoint = 64;"
                            "PRAGMA journal_size_limit = 262144;"
                            "PRAGMA trusted_schema = OFF;"
                            "BEGIN IMMEDIATE;"
                            "CREATE TABLE IF NOT EXISTS datum("
                            " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                            " at_ms INTEGER NOT NULL,"
                            " era INTEGER NOT NULL,"
                            " owner TEXT NOT NULL,"
                            " space TEXT NOT NULL,"
                            " datum TEXT NOT NULL);"
                            "CREATE INDEX IF NOT EXISTS datum_at ON datum(at_ms);"
                            "COMMIT;";

static int store_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	/* A table that is not as expected: another program's file. */
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

/* What went wrong while it ran. */
static int finalize(sqlite3_stmt *stmt)
{
	return store_errno(sqlite3_finalize(stmt));
}

/* Runs a statement that changes rows, with its parameters: "i" an int64_t, "s" a text. If it
 * removes rows, `ret_removed` is not NULL, and their number is added to it. */
static int change(struct store *store, int64_t *ret_removed, const char *sql, const char *types,
                  ...)
{
	sqlite3_stmt *stmt;
	va_list args;
	int r = prepare(store, sql, &stmt);

	if (r < 0)
		return r;
	va_start(args, types);
	for (int i = 0; types[i]; i++) {
		if (types[i] == 'i')
			sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
		else
			sqlite3_bind_text(stmt, i + 1, va_arg(args, const char *), -1,
			                  SQLITE_STATIC);
	}
	va_end(args);
	sqlite3_step(stmt);
	r = finalize(stmt);
	if (r == 0 && ret_removed) {
		store->count -= sqlite3_changes(store->db);
		*ret_removed += sqlite3_changes(store->db);
	}
	return r;
}

int store_open(const char *path, struct store **ret)
{
	struct store *store = calloc(1, sizeof *store);
	sqlite3_stmt *stmt = NULL;
	int r;

	if (!store)
		return -ENOMEM;
	/* One thread uses it, and rarely. Fails harmlessly when the library is in use already. */
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	r = store_errno(sqlite3_open_v2(
	        path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	        NULL));
	if (r == 0) {
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		r = run(store, setup);
	}
	if (r == 0)
		r = prepare(store, "SELECT count(*) FROM datum", &stmt);
	if (r == 0 && sqlite3_step(stmt) == SQLITE_ROW)
		store->count = sqlite3_column_int64(stmt, 0);
	if (r == 0)
		r = finalize(stmt);
	if (r < 0)
		store_close(store);
	else
		*ret = store;
	return r;
}

void store_close(struct store *store)
{
	if (!store)
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

int store_add(struct store *store, const char *owner, const struct queue_entry *entries,
              size_t count)
{
	int r = run(store, "BEGIN IMMEDIATE");

	for (size_t i = 0; r == 0 && i < count; i++)
		r = change(
		        store, NULL,
		        "INSERT INTO datum(at_ms, era, owner, space, datum) VALUES(?, ?, ?, ?, ?)",
		        "iisss", entries[i].at_ms, entries[i].era, owner, entries[i].space,
		        entries[i].datum);
	r = end(store, r);
	if (r == 0)
		store->count += (int64_t)count;
	return r;
}

int store_remove(struct store *store, const int64_t *ids, size_t count)
{
	int64_t before = store->count, gone = 0;
	int r = run(store, "BEGIN IMMEDIATE");

	for (size_t i = 0; r == 0 && i < count; i++)
		r = change(store, &gone, "DELETE FROM datum WHERE id = ?", "i", ids[i]);
	r = end(store, r);
	if (r < 0)
		store->count = before;
	/* After an outage the file shrinks again, a few pages at a time. */
	else if (store->count == 0 && gone > 0)
		run(store, "PRAGMA incremental_vacuum(256)");
	return r;
}

/* Whether a row can be what store_add has written. */
static bool is_sound(const struct queue_entry *entry)
{
	cJSON *json;
	bool sound;

	if (entry->at_ms < 0 || !entry->space || !entry->space[0] ||
	    strlen(entry->space) >= CWATCH_NAME || !entry->datum ||
	    !str_is_clean(entry->datum, strlen(entry->datum)))
		return false;
	json = cJSON_Parse(entry->datum);
	sound = cJSON_IsObject(json) && json->child;
	cJSON_Delete(json);
	return sound;
}

int store_newest(struct store *store, size_t limit, queue_visit *visit, void *arg, int64_t *lost)
{
	int64_t damaged = 0;
	sqlite3_stmt *stmt;
	int r = prepare(store,
	                "SELECT id, at_ms, era, space, datum FROM datum"
	                " ORDER BY at_ms DESC, id DESC LIMIT ?",
	                &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, (int64_t)limit);
	while (!damaged && sqlite3_step(stmt) == SQLITE_ROW) {
		const struct queue_entry entry = {
			.id = sqlite3_column_int64(stmt, 0),
			.at_ms = sqlite3_column_int64(stmt, 1),
			.era = sqlite3_column_int64(stmt, 2),
			.space = (const char *)sqlite3_column_text(stmt, 3),
			.datum = (const char *)sqlite3_column_text(stmt, 4),
		};

		if (!is_sound(&entry))
			damaged = entry.id;
		else if (!visit(arg, &entry))
			break;
	}
	r = finalize(stmt);
	if (r < 0 || !damaged)
		return r;
	/* The rows behind it come with the next visit. */
	return change(store, lost, "DELETE FROM datum WHERE id = ?", "i", damaged);
}

int store_expire(struct store *store, int64_t oldest_ms, int64_t newest_ms, int64_t *lost)
{
	return change(store, lost, "DELETE FROM datum WHERE at_ms < ? OR at_ms > ?", "ii",
	              oldest_ms, newest_ms);
}

int store_trim(struct store *store, int64_t max, int64_t *lost)
{
	if (store->count <= max)
		return 0;
	return change(store, lost,
	              "DELETE FROM datum WHERE id IN"
	              " (SELECT id FROM datum ORDER BY at_ms, id LIMIT ?)",
	              "i", store->count - max);
}

int store_claim(struct store *store, const char *owner, int64_t *lost)
{
	return change(store, lost, "DELETE FROM datum WHERE owner <> ?", "s", owner);
}

int store_shift(struct store *store, int64_t from, int64_t to, int64_t by_ms)
{
	return change(store, NULL, "UPDATE datum SET at_ms = at_ms + ?, era = ? WHERE era = ?",
	              "iii", by_ms, to, from);
}

int store_probe(struct store *store)
{
	return run(store, "PRAGMA user_version = 1");
}
