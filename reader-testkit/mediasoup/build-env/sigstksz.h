/* Since glibc 2.34 SIGSTKSZ is a call of sysconf; abseil sizes an array with it. */
#pragma once
#include <signal.h>
#undef SIGSTKSZ
#define SIGSTKSZ 65536
