/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A layer under SQLite: while the gate is shut its writes wait, or fail; reads with an error of choice. */
#pragma once
#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool shut;	    /* writes wait */
	int write_error;    /* SQLITE_OK: none */
	int write_failures; /* so many writes fail, then they pass; 0: all fail */
	int read_error;
	int waiting;
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
};
static struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};

struct gate_file {
	sqlite3_file base;
	sqlite3_file *real;
};
#define REAL(f) (((struct gate_file *)(f))->real)
#define CALL(f, method, ...) REAL(f)->pMethods->method(REAL(f), ##__VA_ARGS__)

static int gate_write_passes(void)
{
	int r;

	(void)pthread_mutex_lock(&gate.lock);
	gate.waiting++;
	while (gate.shut)
		(void)pthread_cond_wait(&gate.opened, &gate.lock);
	gate.waiting--;
	r = gate.write_error;
	if (r && gate.write_failures && --gate.write_failures == 0)
		gate.write_error = SQLITE_OK;
	(void)pthread_mutex_unlock(&gate.lock);
	return r;
}

static _unused_ void gate_set(bool shut, int write_error, int read_error)
{
	(void)pthread_mutex_lock(&gate.lock);
	gate.shut = shut;
	gate.write_error = write_error;
	gate.write_failures = 0;
	gate.read_error = read_error;
	(void)pthread_cond_broadcast(&gate.opened);
	(void)pthread_mutex_unlock(&gate.lock);
}

static _unused_ void gate_fail_once(int write_error)
{
	(void)pthread_mutex_lock(&gate.lock);
	gate.write_error = write_error;
	gate.write_failures = 1;
	(void)pthread_mutex_unlock(&gate.lock);
}

static _unused_ bool gate_has_waiting(void)
{
	bool r;

	(void)pthread_mutex_lock(&gate.lock);
	r = gate.waiting > 0;
	(void)pthread_mutex_unlock(&gate.lock);
	return r;
}

static int gate_close(sqlite3_file *f)
{
	int r = REAL(f)->pMethods ? CALL(f, xClose) : SQLITE_OK;

	sqlite3_free(REAL(f));
	return r;
}

static int gate_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	int r;

	(void)pthread_mutex_lock(&gate.lock);
	r = gate.read_error;
	(void)pthread_mutex_unlock(&gate.lock);
	return r ? r : CALL(f, xRead, p, n, at);
}

static int gate_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int r = gate_write_passes();

	return r ? r : CALL(f, xWrite, p, n, at);
}

static int gate_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	return CALL(f, xTruncate, n);
}

static int gate_sync(sqlite3_file *f, int flags)
{
	int r = gate_write_passes();

	return r ? r : CALL(f, xSync, flags);
}

static int gate_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return CALL(f, xFileSize, ret);
}

static int gate_lock(sqlite3_file *f, int level)
{
	return CALL(f, xLock, level);
}

static int gate_unlock(sqlite3_file *f, int level)
{
	return CALL(f, xUnlock, level);
}

static int gate_check(sqlite3_file *f, int *ret)
{
	return CALL(f, xCheckReservedLock, ret);
}

static int gate_control(sqlite3_file *f, int op, void *arg)
{
	return CALL(f, xFileControl, op, arg);
}

static int gate_sector(sqlite3_file *f)
{
	return CALL(f, xSectorSize);
}

static int gate_device(sqlite3_file *f)
{
	return CALL(f, xDeviceCharacteristics);
}

static int gate_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return CALL(f, xShmMap, page, size, extend, ret);
}

static int gate_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return CALL(f, xShmLock, offset, n, flags);
}

static void gate_shm_barrier(sqlite3_file *f)
{
	CALL(f, xShmBarrier);
}

static int gate_shm_unmap(sqlite3_file *f, int delete)
{
	return CALL(f, xShmUnmap, delete);
}

static const sqlite3_io_methods gate_methods = {
	.iVersion = 2,
	.xClose = gate_close,
	.xRead = gate_read,
	.xWrite = gate_write,
	.xTruncate = gate_truncate,
	.xSync = gate_sync,
	.xFileSize = gate_size,
	.xLock = gate_lock,
	.xUnlock = gate_unlock,
	.xCheckReservedLock = gate_check,
	.xFileControl = gate_control,
	.xSectorSize = gate_sector,
	.xDeviceCharacteristics = gate_device,
	.xShmMap = gate_shm_map,
	.xShmLock = gate_shm_lock,
	.xShmBarrier = gate_shm_barrier,
	.xShmUnmap = gate_shm_unmap,
};

static int gate_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct gate_file *file = (struct gate_file *)f;
	int r;

	(void)vfs;
	file->base.pMethods = NULL;
	file->real = sqlite3_malloc(gate.real->szOsFile);
	if (!file->real)
		return SQLITE_NOMEM;
	memset(file->real, 0, (size_t)gate.real->szOsFile);
	r = gate.real->xOpen(gate.real, name, file->real, flags, ret_flags);
	if (r == SQLITE_OK)
		file->base.pMethods = &gate_methods;
	else
		sqlite3_free(file->real);
	return r;
}

/* From now on it is the default of the program. */
static void gate_install(void)
{
	gate.real = sqlite3_vfs_find(NULL);
	gate.vfs = *gate.real;
	gate.vfs.zName = "gate";
	gate.vfs.szOsFile = sizeof(struct gate_file);
	gate.vfs.xOpen = gate_open;
	assert_int_equal(sqlite3_vfs_register(&gate.vfs, 1), SQLITE_OK);
}
