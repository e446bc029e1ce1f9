/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A round's report: one process a module, by its command line. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "app/ctl_imports.h"
#include "base/text.h"

#define REPORT_MAX ((size_t)1 << 30)

static const char *text_of(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static double number_of(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsNumber(v) ? v->valuedouble : -1;
}

/* Which module this process was to import; NULL: another one, as a program that a module runs. */
static struct imported *whose(struct imports *i, const cJSON *process)
{
	const cJSON *cmdline = cJSON_GetObjectItemCaseSensitive(process, "cmdline");
	const cJSON *dash_c = cJSON_GetArrayItem(cmdline, 1),
		    *code = cJSON_GetArrayItem(cmdline, 2);

	/* Not by its first word: a shim (pyenv's) gives the interpreter another one. */
	if (cJSON_GetArraySize(cmdline) != 3 || !cJSON_IsString(dash_c) || !cJSON_IsString(code) ||
	    strcmp(dash_c->valuestring, "-c") || !text_starts_with(code->valuestring, "import "))
		return NULL;
	for (size_t k = 0; k < i->n; k++)
		if (!strcmp(i->m[k].name, code->valuestring + strlen("import ")))
			return &i->m[k];
	return NULL;
}

static int keep(struct imported *m, double total, double self)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 16;
		double *t = reallocarray(m->total, cap, sizeof(*t)), *s;

		if (!t)
			return -ENOMEM;
		m->total = t;
		s = reallocarray(m->self, cap, sizeof(*s));
		if (!s)
			return -ENOMEM;
		m->self = s;
		m->cap = cap;
	}
	m->total[m->n] = total;
	m->self[m->n++] = self;
	return 0;
}

/*
 * `import a.b` loads a and a.b, one after the other: what the program itself loads is the cost. A module that the
 * interpreter has loaded by itself costs the program nothing, so its own time is shown, and that it is so.
 */
static int take(struct imported *m, const cJSON *process)
{
	double total = 0, own_total = -1, own_self = 0;
	const cJSON *row;
	bool loaded = false;

	cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(process, "modules"))
	{
		bool mine = !strcmp(text_of(row, "importer"), "__main__");

		if (strcmp(text_of(row, "status"), "loaded"))
			continue;
		if (mine && number_of(row, "depth") == 0) {
			total += number_of(row, "total_ms");
			loaded = true;
		}
		if (own_total < 0 && !strcmp(text_of(row, "name"), m->name)) {
			own_total = number_of(row, "total_ms");
			own_self = number_of(row, "self_ms");
		}
	}
	if (own_total < 0 && !loaded)
		own_total = 0; /* built into the interpreter, and never loaded by an import */
	m->preloaded = !loaded;
	return keep(m, loaded ? total : own_total, own_self);
}

int imports_read(struct imports *i, const char *path)
{
	_buf_ struct buf text = {0};
	const cJSON *p;
	cJSON *report;
	int r = fdio_read_file(AT_FDCWD, path, REPORT_MAX, &text);

	if (r < 0)
		return r;
	report = cJSON_ParseWithLength(buf_str(&text), text.len);
	if (!report)
		return -EBADMSG;
	r = 0;
	cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(report, "processes"))
	{
		struct imported *m = whose(i, p);

		if (!m || m->failed || number_of(p, "exit_code") != 0)
			continue;
		(void)snprintf(i->version, sizeof(i->version), "%s", text_of(p, "python"));
		r = take(m, p);
		if (r)
			break;
	}
	cJSON_Delete(report);
	return r;
}
