/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Whose file it is, by its bytes: a file of somebody else is told before SQLite or lmmsd writes to it, or beside it.
 *
 * SQLite keeps the application id and the schema's version in the first page. Of a database that was never
 * checkpointed that page lies in the WAL. A database of lmmsd whose first page is damaged has its schema's text in
 * others, or the lock file beside it, which is only made for a database of lmmsd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/db.h"

#define HEAD 108 /* SQLite's header, and that of the first page's tree */
#define AT_VERSION 60
#define AT_APPLICATION 68
#define AT_CELLS 103
#define WAL_HEAD 32
#define WAL_FRAME 24
#define TEXT_LOOK 4096
#define SCHEMA_LOOK ((size_t)1 << 20)

static const char magic[] = "SQLite format 3"; /* with its NUL */
static const char schema_text[] = "CREATE TABLE app_day(app INTEGER NOT NULL";

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* SQLite's own handle: a descriptor of ours would take its locks along when it is closed. */
static sqlite3_file *main_file(const struct db *db)
{
	sqlite3_file *f = NULL;

	if (sqlite3_file_control(db->h, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&f) !=
		    SQLITE_OK ||
	    !f || !f->pMethods)
		return NULL;
	return f;
}

/* What a file has fewer of is zero. */
static int read_at(sqlite3_file *f, void *to, size_t n, int64_t at)
{
	int code = f->pMethods->xRead(f, to, (int)n, at);

	return code == SQLITE_OK || code == SQLITE_IOERR_SHORT_READ ? 0 : -EIO;
}

/* The newest first page in the WAL: its first HEAD bytes. */
static bool read_wal(const char *path, uint8_t *head)
{
	uint8_t wal[WAL_HEAD], frame[WAL_FRAME];
	_close_ int fd = -EBADF;
	_buf_ struct buf name = {0};
	bool found = false;
	uint32_t page;

	buf_addf(&name, "%s-wal", path);
	fd = buf_error(&name) ? -EBADF : open(buf_str(&name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || pread(fd, wal, sizeof(wal), 0) != sizeof(wal) ||
	    (be32(wal) | 1) != 0x377f0683)
		return false;
	page = be32(wal + 8);
	for (off_t at = WAL_HEAD; page >= 512 && page <= 65536; at += WAL_FRAME + (off_t)page) {
		if (pread(fd, frame, sizeof(frame), at) != sizeof(frame) ||
		    memcmp(frame + 8, wal + 16, 8) != 0) /* left from a WAL before this one */
			break;
		if (be32(frame) == 1)
			found = pread(fd, head, HEAD, at + WAL_FRAME) == HEAD || found;
	}
	return found;
}

/* Of a file that SQLite cannot read. */
static bool looks_like_text(sqlite3_file *f, int64_t size)
{
	char text[TEXT_LOOK];
	size_t n = size < TEXT_LOOK ? (size_t)size : TEXT_LOOK;

	return read_at(f, text, n, 0) == 0 && !memchr(text, '\0', n);
}

static bool has_schema(sqlite3_file *f, int64_t size)
{
	size_t n = (uint64_t)size < SCHEMA_LOOK ? (size_t)size : SCHEMA_LOOK;
	_free_ char *data = malloc(n);

	return data && read_at(f, data, n, 0) == 0 &&
	       memmem(data, n, schema_text, sizeof(schema_text) - 1);
}

static bool has_lock(const char *path)
{
	_buf_ struct buf name = {0};
	struct stat st;

	buf_addf(&name, "%s-lock", path);
	return !buf_error(&name) && lstat(buf_str(&name), &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size == 0;
}

static bool is_sqlite(const uint8_t *head)
{
	unsigned int page = (unsigned int)head[16] << 8 | head[17];

	page = page == 1 ? 65536 : page;
	return !memcmp(head, magic, sizeof(magic)) && page >= 512 && !(page & (page - 1));
}

int db_foreign(struct db *db, const char *what)
{
	(void)snprintf(db->error, sizeof(db->error),
		       "it is %s, no database of lmmsd, and is left alone: name another file "
		       "with --db",
		       what);
	return -EMEDIUMTYPE;
}

int db_newer(struct db *db, int64_t version)
{
	(void)snprintf(db->error, sizeof(db->error),
		       "it was written by a newer lmmsd (schema %lld, this one knows %d): "
		       "use that version, or name another file with --db",
		       (long long)version, STORE_SCHEMA);
	return -EPROTO;
}

static int unreadable(struct db *db, const char *path, sqlite3_file *f, int64_t size,
		      const uint8_t *head)
{
	if (looks_like_text(f, size))
		return db_foreign(db, "a text file");
	if (be32(head + AT_APPLICATION) != DB_APPLICATION && !has_schema(f, size) &&
	    !has_lock(path))
		return db_foreign(db, "a file of another kind");
	(void)snprintf(db->error, sizeof(db->error), "its first page is not as SQLite writes it");
	return -EUCLEAN;
}

int db_identify(struct db *db, const char *path)
{
	sqlite3_file *f = main_file(db);
	uint8_t head[HEAD] = {0};
	struct stat st;
	uint32_t id, version;

	/* not SQLite's size: to it one byte is none */
	if (!f || stat(path, &st) < 0 || read_at(f, head, HEAD, 0) < 0) {
		(void)snprintf(db->error, sizeof(db->error), "its first page cannot be read");
		return -EIO;
	}
	if (st.st_size == 0)
		return 0;
	if (!is_sqlite(head))
		return unreadable(db, path, f, st.st_size, head);
	if (!be32(head + AT_APPLICATION) && !be32(head + AT_VERSION))
		(void)read_wal(path, head);
	id = be32(head + AT_APPLICATION);
	version = be32(head + AT_VERSION);
	if (id == DB_APPLICATION)
		return version > STORE_SCHEMA ? db_newer(db, version) : 0;
	/* one without tables is as good as none */
	if (!id && !version && !head[AT_CELLS] && !head[AT_CELLS + 1] && head[100] == 0x0d)
		return 0;
	return db_foreign(db, "a database of another program");
}
