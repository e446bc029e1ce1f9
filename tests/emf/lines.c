/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Writes the events of a made-up interval: lines CASE MAX_BYTES. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/emf_doc.h"

#define APPS 40
#define MODULES 30

static const char *const odd[] = {
	"shop/manage.py",
	"",
	"   ",
	":colon",
	"tab\there\nand\x01more\x7f",
	"\xc3\xa9lan \xf0\x9f\x90\x8d \xe2\x80\xae",
	"\"quoted\\\"",
	"_all",
	"_other",
	"_aws",
	"Runs",
	"{\"_aws\":{}}\n{}",
};

static int on_line(void *arg, const char *line, size_t len)
{
	FILE *f = arg;

	return fwrite(line, 1, len, f) == len && fputc('\n', f) != EOF ? 0 : -EIO;
}

/* Owned for as long as the program runs. */
static char *name(size_t i)
{
	char *s = malloc(4000);

	if (!s)
		exit(1);
	if (i < ARRAY_LEN(odd)) {
		(void)snprintf(s, 4000, "%s", odd[i]);
		return s;
	}
	(void)snprintf(s, 4000, "%s%03zu", i % 2 ? "\xc3\xa9" : "long.", i);
	for (size_t n = strlen(s); i % 3 == 0 && n < 2000; n++) {
		s[n] = "abc\x02"[n % 4];
		s[n + 1] = '\0';
	}
	return s;
}

static struct mdl_values values(size_t n)
{
	struct mdl_values v = {.ns = calloc(n + 1, sizeof(*v.ns)), .n = n, .cap = n, .seen = n};

	for (size_t i = 0; v.ns && i < n; i++)
		v.ns[i] = i % 10 ? 1234567890 + i : UINT64_MAX - i;
	return v;
}

static void fill(struct mdl_interval *t, size_t apps, size_t modules)
{
	t->apps = calloc(apps, sizeof(*t->apps));
	t->n_apps = t->apps ? apps : 0;
	for (size_t i = 0; i < t->n_apps; i++) {
		struct mdl_interval_app *a = &t->apps[i];

		*a = (struct mdl_interval_app){
			.name = name(i),
			.runs = UINT64_MAX,
			.slow_imports = i,
			.cold_start = values(i * 25),
			.interpreter = values(3),
			.modules = calloc(modules + 1, sizeof(*a->modules)),
		};
		a->n_modules = a->modules ? modules : 0;
		for (size_t k = 0; k < a->n_modules; k++)
			a->modules[k] = (struct mdl_interval_module){
				.name = name(k),
				.distribution = name(k + 1),
				.version = name(k + 2),
				.total = values(k * 10),
				.self_ns = k ? UINT64_MAX / k : 0,
				.saving_ns = k,
				.runs_using = k,
				.failures = k % 3,
			};
	}
}

/* More metrics and values than the format has room for. */
static int many(const struct emf_options *o)
{
	double of[250] = {0.1, -1e100, 3};
	static char names[250][256];
	struct emf_metric metrics[250];
	const struct emf_text dims[] = {{"app", "many"}}, props[] = {{"host", "h"}};
	const struct emf_doc d = {o, 1700000000000, dims, 1, props, 1, metrics, 250};
	uint64_t left_out = 0;
	int r;

	for (size_t i = 3; i < 250; i++)
		of[i] = 1234567.12345678 + (double)i;
	for (size_t i = 0; i < 250; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "M%0254zu", i);
		metrics[i] = (struct emf_metric){names[i], i % 2 ? "Count" : "Milliseconds", of,
						 250};
	}
	r = emf_doc(&d, on_line, stdout, &left_out);
	return r ? r : (int)left_out;
}

int main(int argc, char **argv)
{
	struct emf_options o = {.namespace = "lmmsd", .log_group = "lmmsd", .host = "build-7"};
	struct mdl_interval t = {.until_ns = 1700000000123456789, .runs = 17};
	uint64_t left_out = 0;
	int r;

	if (argc != 3)
		return 2;
	o.max_bytes = strtoul(argv[2], NULL, 10);
	if (!strcmp(argv[1], "many"))
		return many(&o) != 0 || fclose(stdout) != 0;
	o.host_dimension = !strcmp(argv[1], "host");
	o.log_group = strcmp(argv[1], "nogroup") != 0 ? o.log_group : NULL;
	for (size_t i = 0; i < LMMSD_LOST_MAX; i++)
		t.lost[i] = i;
	if (strcmp(argv[1], "empty") != 0)
		fill(&t, APPS, MODULES);
	r = emf_interval(&t, &o, on_line, stdout, &left_out);
	return r || left_out || fclose(stdout) != 0;
}
