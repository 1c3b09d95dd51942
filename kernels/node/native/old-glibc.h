// Binds functions that moved into libc in glibc 2.34 to their old versions, which later ones have, too: so a library that was compiled on
// a new system can be loaded from glibc 2.28 on.
#pragma once

#if defined(__GLIBC__) && defined(__x86_64__)
#define FROM_OLD_GLIBC(name) __asm__(".symver " #name "," #name "@GLIBC_2.2.5");
#elif defined(__GLIBC__) && defined(__aarch64__)
#define FROM_OLD_GLIBC(name) __asm__(".symver " #name "," #name "@GLIBC_2.17");
#else
#define FROM_OLD_GLIBC(name)
#endif

FROM_OLD_GLIBC(pthread_create)
FROM_OLD_GLIBC(dlopen)
FROM_OLD_GLIBC(dlsym)
