/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * One line a message to stderr: "lmmsd: text". Only app/ logs; the other rooms return errors. To the journal the
 * level goes as "<N>" in front when stderr is a journal stream.
 */
#pragma once
#include "base/cleanup.h"

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* program: borrowed, static lifetime. Looks at stderr: call it again after stderr was redirected. */
void log_setup(const char *program, enum log_level max);
enum log_level log_max(void);
/* Control characters in the message are escaped: a message is one line whatever the target called itself. Keeps errno. */
void log_line(enum log_level level, const char *format, ...) _printf_(2, 3);
/*
 * A status line on the terminal, drawn over the last one; nothing when stderr is no terminal. It is taken away before
 * a message and is the caller's to draw again. NULL takes it away.
 */
void log_status(const char *text);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
