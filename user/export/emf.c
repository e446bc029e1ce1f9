/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What of an interval becomes a metric, and what a property: CloudWatch is paid by the metric. */
#include "export/emf.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/emf_doc.h"

#define ALL "_all" /* as an app: the host */
#define HASH_DIGITS 16

static const char namespace_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#:";
static const char log_group_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#";

bool emf_namespace_ok(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= EMF_NAME_MAX && strspn(s, namespace_chars) == len && *s != ':' &&
	       strncmp(s, "AWS/", 4) != 0;
}

bool emf_log_group_ok(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= 512 && strspn(s, log_group_chars) == len;
}

/* One code point of valid UTF-8; other bytes stand for themselves. Bytes taken. */
static size_t code_point(const char *s, uint32_t *ret)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 1;

	*ret = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*ret = p[0];
			return 1;
		}
		*ret = *ret << 6 | (p[i] & 0x3f);
	}
	return n;
}

static uint64_t hash_of(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211u;
	return h;
}

void emf_dimension(struct buf *b, const char *s)
{
	size_t from = b->len, most = EMF_DIMENSION_MAX - HASH_DIGITS - 1, at = 0, cut = 0;
	bool blank = s[strspn(s, " ")] == '\0';

	while (s[at]) {
		bool odd = blank || (at == 0 && *s == ':');
		uint32_t cp;

		at += code_point(s + at, &cp);
		if (cp >= 0x20 && cp < 0x7f && !odd)
			buf_addc(b, (char)cp);
		else
			buf_addf(b, "\\u{%04x}", (unsigned int)cp);
		if (b->len - from <= most)
			cut = b->len;
		if (b->len - from > EMF_DIMENSION_MAX)
			break;
	}
	if (b->len == from)
		buf_adds(b, "(none)");
	if (b->len - from <= EMF_DIMENSION_MAX || buf_error(b))
		return;
	b->len = cut;
	buf_addf(b, "~%016llx", (unsigned long long)hash_of(s));
}

/* ---- one event's metrics */

#define METRICS_MAX 8

struct page {
	struct emf_doc doc;
	struct emf_metric metrics[METRICS_MAX];
	double single[METRICS_MAX]; /* where the metric has one value */
	double *many[METRICS_MAX];  /* owned: where it has several */
	struct emf_text dimensions[EMF_MAX_DIMENSIONS], properties[METRICS_MAX];
	struct buf text[3]; /* owned: of the dimensions */
	bool failed;
};

static void page_clear(struct page *p)
{
	for (size_t i = 0; i < METRICS_MAX; i++)
		free(p->many[i]);
	for (size_t i = 0; i < ARRAY_LEN(p->text); i++)
		buf_free(&p->text[i]);
}

static void property(struct page *p, const char *name, const char *value)
{
	if (value && *value && p->doc.n_properties < METRICS_MAX)
		p->properties[p->doc.n_properties++] = (struct emf_text){name, value};
}

/* full: the property that has the name itself where CloudWatch does not take it. */
static void dimension(struct page *p, const char *name, const char *value, const char *full)
{
	struct buf *b = &p->text[p->doc.n_dimensions];

	emf_dimension(b, value);
	p->failed = p->failed || buf_error(b);
	p->dimensions[p->doc.n_dimensions++] = (struct emf_text){name, buf_str(b)};
	if (strcmp(buf_str(b), value) != 0)
		property(p, full, value);
}

static void page_init(struct page *p, const struct mdl_interval *t, const struct emf_options *o,
		      const char *app)
{
	*p = (struct page){.doc = {.options = o, .timestamp_ms = t->until_ns / 1000000}};
	p->doc.dimensions = p->dimensions;
	p->doc.properties = p->properties;
	p->doc.metrics = p->metrics;
	if (o->host_dimension)
		dimension(p, "host", o->host, "host_name");
	else
		property(p, "host", o->host);
	dimension(p, "app", app, "app_name");
}

static void count(struct page *p, const char *name, double n)
{
	size_t i = p->doc.n_metrics++;

	p->single[i] = n;
	p->metrics[i] = (struct emf_metric){name, "Count", &p->single[i], 1};
}

static void milliseconds(struct page *p, const char *name, uint64_t ns)
{
	size_t i = p->doc.n_metrics++;

	p->single[i] = (double)ns / 1e6;
	p->metrics[i] = (struct emf_metric){name, "Milliseconds", &p->single[i], 1};
}

static void times(struct page *p, const char *name, const struct mdl_values *v)
{
	size_t i = p->doc.n_metrics++;

	p->many[i] = malloc((v->n + 1) * sizeof(double));
	if (!p->many[i]) {
		p->failed = true;
		return;
	}
	for (size_t k = 0; k < v->n; k++)
		p->many[i][k] = (double)v->ns[k] / 1e6;
	p->metrics[i] = (struct emf_metric){name, "Milliseconds", p->many[i], v->n};
}

struct rendering {
	const struct mdl_interval *t;
	const struct emf_options *o;
	emf_line_fn fn;
	void *arg;
	uint64_t *left_out;
};

static int put(const struct rendering *r, struct page *p)
{
	int e = p->failed ? -ENOMEM : emf_doc(&p->doc, r->fn, r->arg, r->left_out);

	page_clear(p);
	return e;
}

static int put_module(const struct rendering *r, const struct mdl_interval_app *a,
		      const struct mdl_interval_module *m)
{
	struct page p;

	page_init(&p, r->t, r->o, strcmp(a->name, ALL) != 0 ? a->name : ALL " (app)");
	dimension(&p, "module", m->name, "module_name");
	property(&p, "distribution", m->distribution);
	property(&p, "version", m->version);
	if (m->runs_using)
		count(&p, "RunsUsing", (double)m->runs_using);
	times(&p, "ImportTime", &m->total);
	if (m->self_ns)
		milliseconds(&p, "ImportSelfTime", m->self_ns);
	if (m->saving_ns)
		milliseconds(&p, "DeferrableTime", m->saving_ns);
	if (m->failures)
		count(&p, "ImportFailures", (double)m->failures);
	return put(r, &p);
}

static int put_app(const struct rendering *r, const struct mdl_interval_app *a)
{
	struct page p;
	int e;

	/* A program may call itself so. */
	page_init(&p, r->t, r->o, strcmp(a->name, ALL) != 0 ? a->name : ALL " (app)");
	count(&p, "Runs", (double)a->runs);
	times(&p, "ColdStart", &a->cold_start);
	times(&p, "InterpreterStart", &a->interpreter);
	/* zeros too, so that an alarm on it has data wherever there are runs */
	count(&p, "SlowImports", (double)a->slow_imports);
	e = put(r, &p);
	for (size_t i = 0; !e && i < a->n_modules; i++)
		e = put_module(r, a, &a->modules[i]);
	return e;
}

/* Always, so that silence means that lmmsd is down. */
static int put_host(const struct rendering *r)
{
	static const char *const names[] = {
#define NAME(id, name, cure) name,
		LMMSD_REASONS(NAME)
#undef NAME
	};
	_buf_ struct buf why = {0};
	double lost = 0;
	struct page p;

	for (size_t i = 0; i < LMMSD_LOST_MAX; i++) {
		lost += (double)r->t->lost[i];
		if (r->t->lost[i])
			buf_addf(&why, "%s%s %llu", why.len ? ", " : "", names[i],
				 (unsigned long long)r->t->lost[i]);
	}
	if (buf_error(&why))
		return -ENOMEM;
	page_init(&p, r->t, r->o, ALL);
	property(&p, "lost", buf_str(&why));
	property(&p, "lmmsd", LMMSD_VERSION);
	count(&p, "Runs", (double)r->t->runs);
	count(&p, "EventsLost", lost);
	return put(r, &p);
}

int emf_interval(const struct mdl_interval *t, const struct emf_options *o, emf_line_fn fn,
		 void *arg, uint64_t *ret_left_out)
{
	const struct rendering r = {t, o, fn, arg, ret_left_out};
	int e = put_host(&r);

	for (size_t i = 0; !e && i < t->n_apps; i++)
		e = put_app(&r, &t->apps[i]);
	return e;
}
