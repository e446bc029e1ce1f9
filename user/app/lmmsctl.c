/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include <locale.h>

#include "app/ctl.h"
#include "base/fdio.h"

int main(int argc, char *argv[])
{
	fdio_fill_standard();
	(void)setlocale(LC_CTYPE, "");
	log_setup("lmmsctl", LOG_LEVEL_INFO);
	return ctl_main(argc, argv);
}
