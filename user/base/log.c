/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fdio.h"
#include "base/text.h"

#define ERASE_LINE "\r\033[K"

/* The log sink is the one thing of the program that is global: it stands for stderr, which is too. */
static struct {
	const char *program; /* borrowed, static */
	enum log_level max;
	bool journal;
	bool terminal; /* can draw a status line */
	bool status;   /* one stands there */
} sink = {.program = "lmmsd", .max = LOG_LEVEL_INFO};

/* A line and the status line that it takes away are one thing, whichever threads they come from. */
static pthread_mutex_t drawing = PTHREAD_MUTEX_INITIALIZER;

/* systemd names the socket that it gave us as "device:inode"; stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char own[64];

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return !strcmp(stream, own);
}

static bool stderr_is_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

void log_setup(const char *program, enum log_level max)
{
	sink.program = program;
	sink.max = max;
	sink.journal = stderr_is_journal();
	sink.terminal = stderr_is_terminal();
}

enum log_level log_max(void)
{
	return sink.max;
}

/* One write a line, so that lines of several processes do not mix. */
static void write_line(struct buf *line)
{
	static const char no_memory[] = "lmmsd: out of memory while logging\n";

	if (buf_error(line))
		(void)fdio_write_all(STDERR_FILENO, no_memory, sizeof(no_memory) - 1);
	else
		(void)fdio_write_all(STDERR_FILENO, line->data, line->len);
}

void log_line(enum log_level level, const char *format, ...)
{
	int saved = errno;
	_buf_ struct buf text = {0}, utf8 = {0}, line = {0};
	va_list ap;

	if (level > sink.max)
		return;
	va_start(ap, format);
	buf_vaddf(&text, format, ap);
	va_end(ap);
	text_utf8(&utf8, TEXT_UTF8, buf_str(&text), text.len);

	(void)pthread_mutex_lock(&drawing);
	if (sink.status)
		buf_adds(&line, ERASE_LINE);
	sink.status = false;
	if (sink.journal)
		buf_addf(&line, "<%d>", (int)level);
	buf_addf(&line, "%s: ", sink.program);
	text_printable(&line, buf_str(&utf8));
	buf_addc(&line, '\n');
	if (buf_error(&text) || buf_error(&utf8))
		line.error = -ENOMEM;
	write_line(&line);
	(void)pthread_mutex_unlock(&drawing);
	errno = saved;
}

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
		return 80;
	return size.ws_col;
}

/* Bytes of s that fit into so many columns. */
static size_t fitting(const char *s, size_t columns)
{
	size_t i, n = 0;

	for (i = 0; s[i]; i++) {
		if (((uint8_t)s[i] & 0xc0) != 0x80 && n++ == columns)
			break;
	}
	return i;
}

void log_status(const char *text)
{
	int saved = errno;
	_buf_ struct buf safe = {0}, line = {0};

	if (!sink.terminal)
		return;
	if (text)
		text_printable(&safe, text);
	buf_adds(&line, ERASE_LINE);
	/* The last column stays free: a full line would wrap, and only its end could be erased. */
	buf_add(&line, buf_str(&safe), fitting(buf_str(&safe), terminal_columns() - 1));
	(void)pthread_mutex_lock(&drawing);
	if (!buf_error(&line) && (text || sink.status))
		(void)fdio_write_all(STDERR_FILENO, line.data, line.len);
	sink.status = text && *text;
	(void)pthread_mutex_unlock(&drawing);
	errno = saved;
}
