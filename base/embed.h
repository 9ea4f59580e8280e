/* base/embed.h - a file of the tree as bytes of the program.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* At file scope: defines NAME_begin[] and NAME_end[], with a NUL behind the last byte. PATH is a
 * string literal; name the file in OBJECT_DEPENDS of the source, so that a change of it is seen. */
#define EMBED_FILE(NAME, PATH)                                                                     \
    __asm__(".pushsection .rodata\n"                                                               \
            ".global " #NAME "_begin\n" #NAME "_begin:\n"                                          \
            ".incbin \"" PATH "\"\n"                                                               \
            ".global " #NAME "_end\n" #NAME "_end:\n"                                              \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char NAME##_begin[];                                                              \
    extern const char NAME##_end[]
