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

#include "cloud_push.h"

struct store {
	sqlite3 *db;
	int64_t count;
};

/* Page size and vacuum mode count only before the first table. Within one file no id is used again:
 * the answer to a request must not remove a datum that came later. A new file, made during a
 * request after damage, begins with the first id, and then the answer may remove new data. */
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
                            " unsure INTEGER NOT NULL," /* clock_ms of struct queue_entry */
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

/* Runs a statement that changes rows, made as sqlite3_mprintf does: %Q is a quoted text. If it
 * removes rows, `ret_removed` is not NULL, and their number is added to it. */
static int change(struct store *store, int64_t *ret_removed, const char *format, ...)
{
	va_list args;
	char *sql;
	int r;

	va_start(args, format);
	sql = sqlite3_vmprintf(format, args);
	va_end(args);
	if (!sql)
		return -ENOMEM;
	r = run(store, sql);
	sqlite3_free(sql);
	if (r == 0 && ret_removed) {
		store->count -= sqlite3_changes(store->db);
		*ret_removed += sqlite3_changes(store->db);
	}
	return r;
}

static int count_rows(struct store *store)
{
	sqlite3_stmt *stmt;
	int r = store_errno(
	        sqlite3_prepare_v2(store->db, "SELECT count(*) FROM datum", -1, &stmt, NULL));

	if (r < 0)
		return r;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		store->count = sqlite3_column_int64(stmt, 0);
	return store_errno(sqlite3_finalize(stmt));
}

int store_open(const char *path, struct store **ret)
{
	struct store *store = calloc(1, sizeof *store);
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
		r = count_rows(store);
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

/* Commits, or rolls back after a failure `r`. Returns the first failure. */
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
		r = change(store, NULL,
		           "INSERT INTO datum(at_ms, unsure, owner, space, datum)"
		           " VALUES(%lld, %lld, %Q, %Q, %Q)",
		           (long long)entries[i].at_ms, (long long)entries[i].clock_ms, owner,
		           entries[i].space, entries[i].datum);
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
		r = change(store, &gone, "DELETE FROM datum WHERE id = %lld", (long long)ids[i]);
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
	int r = store_errno(sqlite3_prepare_v2(store->db,
	                                       "SELECT id, at_ms, space, datum FROM datum"
	                                       " ORDER BY at_ms DESC, id DESC LIMIT ?",
	                                       -1, &stmt, NULL));

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, (int64_t)limit);
	while (!damaged && sqlite3_step(stmt) == SQLITE_ROW) {
		const struct queue_entry entry = {
			.id = sqlite3_column_int64(stmt, 0),
			.at_ms = sqlite3_column_int64(stmt, 1),
			.space = (const char *)sqlite3_column_text(stmt, 2),
			.datum = (const char *)sqlite3_column_text(stmt, 3),
		};

		if (!is_sound(&entry))
			damaged = entry.id;
		else if (!visit(arg, &entry))
			break;
	}
	r = store_errno(sqlite3_finalize(stmt));
	if (r < 0 || !damaged)
		return r;
	/* The rows behind it come with the next visit. */
	return change(store, lost, "DELETE FROM datum WHERE id = %lld", (long long)damaged);
}

int store_expire(struct store *store, int64_t oldest_ms, int64_t newest_ms, int64_t *lost)
{
	return change(store, lost, "DELETE FROM datum WHERE at_ms < %lld OR at_ms > %lld",
	              (long long)oldest_ms, (long long)newest_ms);
}

int store_trim(struct store *store, int64_t max, int64_t *lost)
{
	if (store->count <= max)
		return 0;
	return change(store, lost,
	              "DELETE FROM datum WHERE id IN"
	              " (SELECT id FROM datum ORDER BY at_ms, id LIMIT %lld)",
	              (long long)(store->count - max));
}

int store_claim(struct store *store, const char *owner, int64_t *lost)
{
	int r = change(store, NULL, "UPDATE datum SET owner = %Q WHERE owner = ''", owner);

	return r < 0 ? r : change(store, lost, "DELETE FROM datum WHERE owner <> %Q", owner);
}

int store_shift(struct store *store, int64_t clock_ms, int64_t by_ms, int64_t to_ms)
{
	return change(store, NULL,
	              "UPDATE datum SET at_ms = at_ms + %lld, unsure = %lld"
	              " WHERE unsure AND abs(unsure - %lld) < %d",
	              (long long)by_ms, (long long)to_ms, (long long)clock_ms, SKEW_STEP_MS);
}

int store_probe(struct store *store)
{
	return run(store, "PRAGMA user_version = 1");
}
