/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* app/watch: what the kernel side is told of a program, and when a file is let go. Its table of programs is ours here. */
// wrap: probe_exe_verdict probe_exe_undecided probe_exe_forget probe_attach probe_detach
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "app/watch_int.h"
#include "unit/fake_python.h"
#include "unit/fake_tree.h"

enum said { NOTHING, UNDECIDED, NO_PYTHON, PYTHON };

/* The one program that these tests are about. */
static enum said said;

int __wrap_probe_exe_verdict(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns,
			     bool python);
static uint64_t said_of; /* which inode, last */
int __wrap_probe_exe_verdict(struct probe *p _unused_, uint64_t ino, uint32_t ctime_s _unused_,
			     uint32_t ctime_ns _unused_, bool python)
{
	said_of = ino;
	said = python ? PYTHON : NO_PYTHON;
	return 0;
}

bool __wrap_probe_exe_undecided(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns);
bool __wrap_probe_exe_undecided(struct probe *p _unused_, uint64_t ino _unused_,
				uint32_t ctime_s _unused_, uint32_t ctime_ns _unused_)
{
	return said == UNDECIDED;
}

void __wrap_probe_exe_forget(struct probe *p, uint64_t ino, uint32_t ctime_s, uint32_t ctime_ns);
void __wrap_probe_exe_forget(struct probe *p _unused_, uint64_t ino _unused_,
			     uint32_t ctime_s _unused_, uint32_t ctime_ns _unused_)
{
	said = NOTHING;
}

#define ID 7

static struct watch *w;
static struct tree tree;
static size_t attached, detached;
static void (*meanwhile)(void); /* while it is attached to */

int __wrap_probe_attach(struct probe *p, int fd, const struct target *t, uint32_t *ret_interp);
static uint64_t attached_to; /* which inode, last */
int __wrap_probe_attach(struct probe *p _unused_, int fd, const struct target *t _unused_,
			uint32_t *ret_interp)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	attached_to = st.st_ino;
	if (meanwhile)
		meanwhile();
	*ret_interp = ID;
	attached++;
	return 0;
}

void __wrap_probe_detach(struct probe *p, uint32_t interp);
void __wrap_probe_detach(struct probe *p _unused_, uint32_t interp)
{
	assert_int_equal(interp, ID);
	detached++;
}
static struct discover_id own; /* this program's file, which is no Python */

static char nobody; /* a probe that is looked into by no function that is called here */

static int set_up(void **state _unused_)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	said = NOTHING;
	attached = detached = 0;
	meanwhile = NULL;
	assert_true(fd >= 0);
	assert_int_equal(discover_identify(fd, &own), 0);
	(void)close(fd);
	assert_int_equal(tree_make(&tree), 0);
	return watch_new((struct probe *)&nobody, NULL, TARGET_WANT_AUTO, 4, &w);
}

static int tear_down(void **state _unused_)
{
	w = watch_free(w);
	return tree_remove(&tree);
}

/* It was executed by that process, and the kernel side asks. */
static void executed(pid_t pid)
{
	said = UNDECIDED;
	assert_int_equal(watch_exe(w, (uint32_t)pid, own.ino, (uint32_t)(own.ctime_ns / 1000000000),
				   (uint32_t)(own.ctime_ns % 1000000000)),
			 0);
}

static pid_t start(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			(void)pause();
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void program_that_is_no_python(void **state _unused_)
{
	for (int i = 0; i < 2; i++) { /* looked at, and known from then on */
		executed(getpid());
		assert_int_equal(watch_run(w, 0), i == 0);
		assert_int_equal(said, NO_PYTHON);
	}
}

/* It still ran when it was queued. Nobody knows what it was, so its next start has to say it again. */
static void program_that_ended_before_the_look(void **state _unused_)
{
	pid_t pid = start();

	executed(pid);
	end(pid);
	assert_int_equal(watch_run(w, 0), 0);
	assert_int_equal(said, NOTHING);
	executed(getpid());
	assert_int_equal(watch_run(w, 0), 1);
	assert_int_equal(said, NO_PYTHON);
}

static int busy(void *arg _unused_, int fd _unused_)
{
	return -EBUSY;
}

static void program_whose_file_does_not_answer(void **state _unused_)
{
	const struct discover_scout hung = {.answers = busy}, none = {0};

	discover_send(w->discover, &hung);
	executed(getpid());
	assert_int_equal(watch_run(w, 0), 0);
	assert_int_equal(said, NOTHING);
	discover_send(w->discover, &none);
	executed(getpid());
	assert_int_equal(watch_run(w, 0), 1);
	assert_int_equal(said, NO_PYTHON);
}

/* The kernel side knows no devices: a look-alike must not hide what is watched. */
static void look_alike_of_a_python(void **state _unused_)
{
	watch_remember_need(w, &own);
	assert_int_equal(watch_add_path(w, "/proc/self/exe"), 0);
	assert_int_equal(watch_run(w, 0), 1);
	assert_int_equal(said, PYTHON);
}

static void look(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", tree.path, name);
	assert_int_equal(watch_add_path(w, path), 0);
	assert_true(watch_run(w, 0) >= 0);
}

/* A Python in the tree, attached to. It is for one machine. */
static void attach(void)
{
	struct image i;

#if !defined(__x86_64__)
	skip();
#endif
	make_image(&i, DT_GNU_HASH);
	tree_write(&tree, "python3", i.b, sizeof(i.b));
	look("python3");
	assert_int_equal(attached, 1);
}

/* In place, something else. */
static void rewrite(void)
{
	char text[200] = "no ELF file";

	tree_write(&tree, "python3", text, sizeof(text));
}

static void written_to_and_met_again(void **state _unused_)
{
	attach();
	look("python3");
	assert_int_equal(detached, 0);
	rewrite();
	look("python3");
	assert_int_equal(detached, 1);
	assert_int_equal(watch_attached(w), 0);
	assert_int_equal(said, NO_PYTHON);
}

static void written_to_and_not_met(void **state _unused_)
{
	attach();
	watch_check(w);
	assert_int_equal(detached, 0);
	rewrite();
	watch_check(w);
	assert_int_equal(detached, 1);
	assert_int_equal(watch_attached(w), 0);
	assert_int_equal(said, NOTHING); /* its next start says it again */
}

static void written_to_while_attaching(void **state _unused_)
{
	meanwhile = rewrite;
	attach();
	assert_int_equal(detached, 1);
	assert_int_equal(watch_attached(w), 0);
	assert_int_equal(said, NOTHING);
}

/* Links it, until the clock of the file system has moved on and the file is met with another ctime. */
static void renew(void)
{
	struct statx before, now;
	const unsigned int want = STATX_CTIME | STATX_BTIME;

	assert_int_equal(statx(tree.fd, "python3", 0, want, &before), 0);
	if (!(before.stx_mask & STATX_BTIME)) {
		print_message("the temporary directory's file system has no birth times\n");
		skip();
	}
	do {
		assert_int_equal(linkat(tree.fd, "python3", tree.fd, "other", 0), 0);
		assert_int_equal(unlinkat(tree.fd, "other", 0), 0);
		assert_int_equal(statx(tree.fd, "python3", 0, want, &now), 0);
	} while (memcmp(&before.stx_ctime, &now.stx_ctime, sizeof(now.stx_ctime)) == 0);
	said = NOTHING;
	look("python3");
}

static void linked(void **state _unused_)
{
	attach();
	renew();
	assert_int_equal(detached, 0);
	assert_int_equal(said, PYTHON);
}

/* Written to, and of the same size and time as before. */
static void written_to_and_time_set_back(void **state _unused_)
{
	struct stat st;
	char nothing[SIZE] = {0};

	attach();
	assert_int_equal(fstatat(tree.fd, "python3", &st, 0), 0);
	tree_write(&tree, "python3", nothing, sizeof(nothing));
	assert_int_equal(
		utimensat(tree.fd, "python3", (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
	renew();
	assert_int_equal(detached, 1);
	assert_int_equal(watch_attached(w), 0);
	assert_int_equal(said, NOTHING);
}

/* ---- while BPF is being loaded */

static struct discover_id held_file(const char *name)
{
	struct discover_id id;
	struct image i;
	int fd;

#if !defined(__x86_64__)
	skip();
#endif
	make_image(&i, DT_GNU_HASH);
	tree_write(&tree, name, i.b, sizeof(i.b));
	look(name);
	fd = openat(tree.fd, name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(discover_identify(fd, &id), 0);
	(void)close(fd);
	return id;
}

static int set_up_held(void **state)
{
	if (set_up(state))
		return -1;
	w = watch_free(w);
	said = NOTHING;
	if (watch_new(NULL, NULL, TARGET_WANT_AUTO, 4, &w))
		return -1;
	watch_hold(w);
	return 0;
}

/* In the order in which they were found; nothing is said of any before it is attached to. */
static void waits_for_the_load(void **state _unused_)
{
	const struct discover_id first = held_file("python3"), second = held_file("python3.1");

	assert_int_equal(watch_add_path(w, "/proc/self/exe"), 0);
	assert_int_equal(watch_run(w, 0), 1);
	assert_int_equal(watch_held(w), 2);
	assert_int_equal(attached, 0);
	assert_int_equal(said, NOTHING);
	watch_use(w, (struct probe *)&nobody);
	assert_int_equal(watch_attached(w), 0);
	assert_true(watch_attach_next(w));
	assert_true(attached_to == first.ino && said_of == first.ino);
	assert_int_equal(said, PYTHON);
	assert_true(watch_attach_next(w));
	assert_true(attached_to == second.ino && said_of == second.ino);
	assert_false(watch_attach_next(w));
	assert_int_equal(watch_attached(w), 2);
	look("python3"); /* is known */
	assert_int_equal(attached, 2);
	(void)held_file("python3.2"); /* waits no more */
	assert_int_equal(attached, 3);
}

static void executed_while_it_waits(void **state _unused_)
{
	(void)held_file("python3");
	const struct discover_id id = held_file("python3.1");

	watch_use(w, (struct probe *)&nobody);
	assert_int_equal(watch_exe(w, (uint32_t)getpid(), id.ino,
				   (uint32_t)(id.ctime_ns / 1000000000),
				   (uint32_t)(id.ctime_ns % 1000000000)),
			 0);
	assert_int_equal(attached, 1);
	assert_true(attached_to == id.ino && said_of == id.ino);
	assert_int_equal(said, PYTHON);
	assert_int_equal(watch_held(w), 1);
}

/* A program is Python through its library: who is told so before that is watched would take its runs for whole. */
static void program_whose_library_waits(void **state _unused_)
{
	(void)held_file("python3");
	assert_true(watch_remember_need(w, &own));
	watch_use(w, (struct probe *)&nobody);
	assert_int_equal(said, NOTHING);
	assert_true(watch_attach_next(w));
	assert_int_equal(said, PYTHON);
	assert_true(said_of == own.ino);
}

/* One is needed before the others, as by a command. */
static void first_of_those_that_wait(void **state _unused_)
{
	(void)held_file("python3");
	assert_true(watch_remember_need(w, &own));
	assert_int_equal(watch_first(w), 1);
	(void)held_file("python3.1");
	watch_use(w, (struct probe *)&nobody);
	assert_int_equal(said, NOTHING);
	assert_true(watch_attach_next(w));
	assert_int_equal(said, PYTHON);
	assert_true(said_of == own.ino);
	assert_int_equal(watch_held(w), 1);
}

static void written_to_while_it_waits(void **state _unused_)
{
	(void)held_file("python3");
	rewrite();
	watch_use(w, (struct probe *)&nobody);
	assert_true(watch_attach_next(w));
	assert_int_equal(attached, 0);
	assert_int_equal(watch_attached(w), 0);
	assert_int_equal(watch_held(w), 0);
	assert_int_equal(said, NOTHING);
}

static void no_more_wait_than_there_is_room(void **state _unused_)
{
	static const char *const names[] = {"python3", "python3.1", "python3.2", "python3.3",
					    "python3.4"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)held_file(names[i]);
	assert_int_equal(watch_held(w), 4);
	assert_int_equal(watch_no_room(w), 1);
	watch_use(w, (struct probe *)&nobody);
	while (watch_attach_next(w))
		;
	assert_int_equal(watch_attached(w), 4);
}

static void never_used(void **state _unused_)
{
	(void)held_file("python3"); /* tear_down() frees it, with its file */
	assert_int_equal(watch_held(w), 1);
}

#define HELD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_held, tear_down)
#define WATCH_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(program_that_is_no_python),
		WATCH_TEST(program_that_ended_before_the_look),
		WATCH_TEST(program_whose_file_does_not_answer),
		WATCH_TEST(look_alike_of_a_python),
		WATCH_TEST(written_to_and_met_again),
		WATCH_TEST(written_to_and_not_met),
		WATCH_TEST(written_to_while_attaching),
		WATCH_TEST(linked),
		WATCH_TEST(written_to_and_time_set_back),
		HELD_TEST(waits_for_the_load),
		HELD_TEST(executed_while_it_waits),
		HELD_TEST(program_whose_library_waits),
		HELD_TEST(first_of_those_that_wait),
		HELD_TEST(written_to_while_it_waits),
		HELD_TEST(no_more_wait_than_there_is_room),
		HELD_TEST(never_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
